import type { Id, Instant, LeaseId } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Settlement, SettlementKind, SettlementState } from '../domain/settlement.ts';
import { bigintOrNull, numberOrNull } from './sql.ts';

type SettlementRow = {
  settlement_id: Id<'settlement'>;
  lease_id: LeaseId;
  kind: SettlementKind;
  cumulative_micros: string;
  state: SettlementState;
  tx_hash: string | null;
  submitted_at_ms: string | null;
  paid_micros: string | null;
  failure: string | null;
};

/** Where a log stands in the chain. */
export type LogPlace = { readonly chainId: number; readonly blockHash: string; readonly logIndex: number };

const COLUMNS = `settlement_id, lease_id, kind, cumulative_micros, state, tx_hash, submitted_at_ms, paid_micros, failure`;
const DRAFT = `
  INSERT INTO settlements (settlement_id, lease_id, kind, cumulative_micros, state, intent_id, drafted_at_ms)
  SELECT id, lease, kind, micros, 'drafted', intent, $6
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[]) AS s (id, lease, kind, micros, intent)`;
const OF_INTENT = `SELECT ${COLUMNS} FROM settlements WHERE intent_id = $1 ORDER BY settlement_id`;
const OF_LOG = `SELECT ${COLUMNS} FROM settlements WHERE block_hash = $1 AND log_index = $2 ORDER BY settlement_id`;
const UNCONFIRMED = `
  SELECT ${COLUMNS} FROM settlements
  WHERE lease_id = ANY($1::text[]) AND state NOT IN ('confirmed', 'finalized')
  ORDER BY lease_id, drafted_at_ms DESC, settlement_id DESC`;
const SAVE = `
  UPDATE settlements s SET state = r.state, tx_hash = r.tx_hash, submitted_at_ms = r.submitted_at_ms,
    paid_micros = r.paid_micros, failure = r.failure,
    confirmed_at_ms = CASE WHEN r.state IN ('confirmed', 'finalized') THEN coalesce(s.confirmed_at_ms, $2) END,
    chain_id   = CASE WHEN r.state IN ('confirmed', 'finalized') THEN coalesce($3, s.chain_id) END,
    block_hash = CASE WHEN r.state IN ('confirmed', 'finalized') THEN coalesce($4, s.block_hash) END,
    log_index  = CASE WHEN r.state IN ('confirmed', 'finalized') THEN coalesce($5, s.log_index) END
  FROM jsonb_to_recordset($1::jsonb) AS r
    (settlement_id text, state text, tx_hash text, submitted_at_ms bigint, paid_micros bigint, failure text)
  WHERE s.settlement_id = r.settlement_id`;

const settlementOf = (row: SettlementRow): Settlement => ({
  settlementId: row.settlement_id,
  leaseId: row.lease_id,
  kind: row.kind,
  cumulativeMicros: BigInt(row.cumulative_micros),
  state: row.state,
  txHash: row.tx_hash,
  submittedAtMs: numberOrNull(row.submitted_at_ms),
  paidMicros: bigintOrNull(row.paid_micros),
  failure: row.failure,
});

/** Rows of settlements; whoever changes one has its lease locked. */
@Injectable()
export class SettlementStore {
  async draft(
    manager: EntityManager,
    drafts: readonly (Pick<Settlement, 'settlementId' | 'leaseId' | 'kind' | 'cumulativeMicros'> & {
      intentId: string;
    })[],
    now: Instant,
  ): Promise<void> {
    await manager.query(DRAFT, [
      drafts.map((draft) => draft.settlementId),
      drafts.map((draft) => draft.leaseId),
      drafts.map((draft) => draft.kind),
      drafts.map((draft) => draft.cumulativeMicros.toString()),
      drafts.map((draft) => draft.intentId),
      now,
    ]);
  }

  async ofIntent(manager: EntityManager, intentId: string): Promise<readonly Settlement[]> {
    return (await manager.query<SettlementRow[]>(OF_INTENT, [intentId])).map(settlementOf);
  }

  /** Those that a log of the chain has confirmed. */
  async ofLog(manager: EntityManager, place: LogPlace): Promise<readonly Settlement[]> {
    const rows = await manager.query<SettlementRow[]>(OF_LOG, [place.blockHash, place.logIndex]);
    return rows.map(settlementOf);
  }

  /** Those of these leases that the chain has not confirmed, the latest of each lease first. */
  async unconfirmed(manager: EntityManager, leaseIds: readonly LeaseId[]): Promise<readonly Settlement[]> {
    if (leaseIds.length === 0) return [];
    return (await manager.query<SettlementRow[]>(UNCONFIRMED, [leaseIds])).map(settlementOf);
  }

  /** @param place the log that confirms them, where one does */
  async save(
    manager: EntityManager,
    settlements: readonly Settlement[],
    now: Instant,
    place: LogPlace | null = null,
  ): Promise<void> {
    if (settlements.length === 0) return;
    const rows = settlements.map((settlement) => ({
      settlement_id: settlement.settlementId,
      state: settlement.state,
      tx_hash: settlement.txHash,
      submitted_at_ms: settlement.submittedAtMs,
      paid_micros: settlement.paidMicros?.toString() ?? null,
      failure: settlement.failure,
    }));
    await manager.query(SAVE, [
      JSON.stringify(rows),
      now,
      place?.chainId ?? null,
      place?.blockHash ?? null,
      place?.logIndex ?? null,
    ]);
  }
}
