import {
  chainEventObserved,
  type ChainEventObserved,
  type ChainLog,
  publishedLanguage,
} from '@gridbourse/events';
import type { Instant, Micros } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { ChainEvent } from '../domain/chain-postings.ts';
import { type ChainLogState, hear, type Heard, type Tidings } from '../domain/chain-log-state.ts';
import { providerOfLeaseKey } from '../domain/chart-of-accounts.ts';
import type { SpendingLimit } from '../domain/funding.ts';
import { type LockChange, unchangedLock } from '../domain/rating.ts';
import { lockChangeOf, type LeaseRow } from './lease.row.ts';

const KNOWN = `
  SELECT state, incarnation FROM chain_logs
  WHERE chain_id = $1 AND block_hash = $2 AND log_index = $3 FOR UPDATE`;
const WRITE = `
  INSERT INTO chain_logs (chain_id, block_hash, log_index, state, incarnation, block_number, block_time_ms, tx_hash,
                          name, tenant, log, heard_at_ms, schema_version, seen_at_ms, amount_micros)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
  ON CONFLICT (chain_id, block_hash, log_index) DO UPDATE SET state = EXCLUDED.state, incarnation = EXCLUDED.incarnation`;
const WRITE_ROWS = `
  INSERT INTO chain_lease_rows (chain_id, block_hash, log_index, row_index, lease_key, kind, live, lease_ref, tenant,
                                chain_provider_id, rate_micros_per_hour, lock_micros, paid_micros, refunded_micros,
                                ends_at_ms)
  SELECT $1, $2, $3, r.row_index, r.lease_key, r.kind, true, r.lease_ref, r.tenant, r.chain_provider_id,
         r.rate_micros_per_hour, r.lock_micros, coalesce(r.paid_micros, 0), coalesce(r.refunded_micros, 0),
         r.ends_at_ms
  FROM jsonb_to_recordset($4::jsonb) AS r
    (row_index int, lease_key text, kind text, lease_ref text, tenant text, chain_provider_id bigint,
     rate_micros_per_hour bigint, lock_micros bigint, paid_micros bigint, refunded_micros bigint, ends_at_ms bigint)
  ON CONFLICT (chain_id, block_hash, log_index, row_index) DO UPDATE SET live = true`;
const KILL_ROWS = `
  UPDATE chain_lease_rows SET live = false WHERE chain_id = $1 AND block_hash = $2 AND log_index = $3`;
const PAID = `
  SELECT lease_key, sum(paid_micros) AS paid_micros FROM chain_lease_rows
  WHERE live AND lease_key = ANY($1::text[]) GROUP BY lease_key`;
const LOCK_CHANGES = `
  SELECT lease_key, coalesce(sum(lock_micros) FILTER (WHERE kind = 'extended'), 0) AS lock_added_micros,
         coalesce(sum(refunded_micros) FILTER (WHERE kind = 'stopped'), 0) AS lock_freed_micros,
         min(ends_at_ms) AS stops_at_ms
  FROM chain_lease_rows WHERE live AND lease_key = ANY($1::text[]) GROUP BY lease_key`;
const OPENING = `
  SELECT r.lease_key, l.block_time_ms FROM chain_lease_rows r JOIN chain_logs l USING (chain_id, block_hash, log_index)
  WHERE r.live AND r.kind = 'opened' AND r.lease_ref = $1 ORDER BY l.block_number LIMIT 1`;
const LIMIT = `
  SELECT chain_id, block_hash, log_index, block_number, block_time_ms, tx_hash, seen_at_ms, schema_version, log
  FROM chain_logs WHERE tenant = $1 AND name = 'SpendingLimitSet' AND state <> 'retracted'
  ORDER BY block_number DESC, log_index DESC LIMIT 1`;

type LockChangeRow = Pick<LeaseRow, 'lock_added_micros' | 'lock_freed_micros' | 'stops_at_ms'> & {
  lease_key: string;
};

type LoggedRow = {
  chain_id: string;
  block_hash: string;
  log_index: number;
  block_number: string;
  block_time_ms: string;
  tx_hash: string;
  seen_at_ms: string;
  schema_version: number;
  log: unknown;
};

const encodeLog = (event: ChainEvent): { schemaVersion: number; log: unknown } => {
  const { schemaVersion, data } = publishedLanguage.encode({ ...event, type: chainEventObserved.type });
  return { schemaVersion, log: (data as { log: unknown }).log };
};

/** The log in the shape of today, whatever version it was kept in. */
const decodeLog = (row: LoggedRow): ChainLog => {
  const data = {
    contract: 'ComputeMarket',
    chainId: Number(row.chain_id),
    blockHash: row.block_hash,
    logIndex: row.log_index,
    blockNumber: Number(row.block_number),
    blockTimeMs: Number(row.block_time_ms),
    txHash: row.tx_hash,
    seenAtMs: Number(row.seen_at_ms),
    log: row.log,
  };
  const { type } = chainEventObserved;
  return (publishedLanguage.decode({ type, schemaVersion: row.schema_version, data }) as ChainEventObserved)
    .log;
};

/** What a log says about single leases, one row for each. */
const leaseRowsOf = (log: ChainLog): object[] => {
  switch (log.name) {
    case 'LeaseOpened':
      return [
        {
          lease_key: log.leaseKey,
          kind: 'opened',
          lease_ref: log.leaseRef,
          tenant: log.tenant,
          chain_provider_id: log.chainProviderId,
          rate_micros_per_hour: log.rateMicrosPerHour.toString(),
          lock_micros: log.lockMicros.toString(),
        },
      ];
    case 'LeaseExtended':
      return [
        {
          lease_key: log.leaseKey,
          kind: 'extended',
          tenant: log.tenant,
          chain_provider_id: log.chainProviderId,
          lock_micros: log.addedMicros.toString(),
        },
      ];
    case 'LeaseStopped':
      return [
        {
          lease_key: log.leaseKey,
          kind: 'stopped',
          tenant: log.tenant,
          chain_provider_id: log.chainProviderId,
          refunded_micros: log.refundedMicros.toString(),
          ends_at_ms: log.endsAtSeconds * 1_000,
        },
      ];
    case 'LeasesSettled':
      return [
        ...log.rows.map((row) => ({
          lease_key: row.leaseKey,
          kind: 'settled',
          chain_provider_id: providerOfLeaseKey(row.leaseKey),
          paid_micros: row.paidMicros.toString(),
        })),
        ...log.skipped.map((row) => ({ lease_key: row.leaseKey, kind: 'skipped' })),
      ];
    case 'LeaseClosed':
      return [
        {
          lease_key: log.leaseKey,
          kind: 'closed',
          tenant: log.tenant,
          chain_provider_id: log.chainProviderId,
          paid_micros: log.paidMicros.toString(),
          refunded_micros: log.refundedMicros.toString(),
        },
      ];
    default:
      return [];
  }
};

/** The logs of our contract as the indexer told them. */
@Injectable()
export class ChainLogStore {
  /** Notes what was heard of a log. @returns what of it is to be booked or taken back */
  async hear(manager: EntityManager, tidings: Tidings, event: ChainEvent, now: Instant): Promise<Heard> {
    const place = [event.chainId, event.blockHash, event.logIndex];
    const [known] = await manager.query<ChainLogState[]>(KNOWN, place);
    const heard = hear(tidings, known ?? null);
    if (known && heard.effect === 'none' && heard.next.state === known.state) return heard;
    const { schemaVersion, log } = encodeLog(event);
    await manager.query(WRITE, [
      ...place,
      heard.next.state,
      heard.next.incarnation,
      event.blockNumber,
      event.blockTimeMs,
      event.txHash,
      event.log.name,
      'tenant' in event.log ? event.log.tenant : null,
      JSON.stringify(log),
      now,
      schemaVersion,
      event.seenAtMs,
      'amountMicros' in event.log ? event.log.amountMicros.toString() : null,
    ]);
    const rows = leaseRowsOf(event.log).map((row, index) => ({ row_index: index, ...row }));
    if (heard.effect === 'undo') await manager.query(KILL_ROWS, place);
    if (heard.effect === 'book' && rows.length > 0) {
      await manager.query(WRITE_ROWS, [...place, JSON.stringify(rows)]);
    }
    return heard;
  }

  /** What the chain has paid for each of these lease keys, by the logs that stand. */
  async paidByKey(
    manager: EntityManager,
    leaseKeys: readonly string[],
  ): Promise<ReadonlyMap<string, Micros>> {
    const rows = await manager.query<{ lease_key: string; paid_micros: string }[]>(PAID, [leaseKeys]);
    return new Map(rows.map((row) => [row.lease_key, BigInt(row.paid_micros)]));
  }

  /** What extensions and a stop have made of the lock of each of these lease keys, by the logs that stand. */
  async lockChanges(
    manager: EntityManager,
    leaseKeys: readonly string[],
  ): Promise<ReadonlyMap<string, LockChange>> {
    const rows = await manager.query<LockChangeRow[]>(LOCK_CHANGES, [leaseKeys]);
    return new Map(rows.map((row) => [row.lease_key, lockChangeOf(row)]));
  }

  /** The opening of a lease and what became of its lock, where the chain told of it before the market did. */
  async openingOf(
    manager: EntityManager,
    leaseRef: string,
  ): Promise<{ leaseKey: string; openedAtMs: Instant; lockChange: LockChange } | null> {
    const [row] = await manager.query<{ lease_key: string; block_time_ms: string }[]>(OPENING, [leaseRef]);
    if (!row) return null;
    const leaseKey = row.lease_key;
    const lockChange = (await this.lockChanges(manager, [leaseKey])).get(leaseKey) ?? unchangedLock;
    return { leaseKey, openedAtMs: Number(row.block_time_ms), lockChange };
  }

  /** The limit that stands, by the logs that stand; null where the tenant never set one. */
  async spendingLimitOf(manager: EntityManager, tenant: string): Promise<SpendingLimit | null> {
    const [row] = await manager.query<LoggedRow[]>(LIMIT, [tenant]);
    if (!row) return null;
    const log = decodeLog(row);
    return log.name === 'SpendingLimitSet' ? log : null;
  }
}
