import type { Micros } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { leaseOfRow, type LeaseRow } from '../../adapters/lease.row.ts';
import { readSnapshot } from '../../adapters/snapshot.ts';
import type { IntentKind } from '../../adapters/relayer.ts';
import { type LeaseState, meteredMicros, stateOf } from '../../domain/lease.ts';

const LEASES = `SELECT * FROM leases WHERE account_id = $1 AND lease_id > $2 ORDER BY lease_id LIMIT 1000`;
/** From the ledger's transfers, corrections taken off. */
const LEDGER = `
  SELECT coalesce(sum(t.sign * t.amount_micros) FILTER (WHERE t.kind = 'payment'), 0) AS paid,
         coalesce(sum(t.sign * t.amount_micros) FILTER (WHERE t.kind = 'refund'), 0) AS refunded
  FROM leases l JOIN LATERAL (
    SELECT kind, amount_micros, CASE WHEN corrects_id IS NULL THEN 1 ELSE -1 END AS sign
    FROM ledger_transfers WHERE lease_key = l.lease_key) AS t ON true
  WHERE l.account_id = $1`;
/** From the chain's events. */
const CHAIN = `
  SELECT coalesce(sum(r.paid_micros), 0) AS paid FROM leases l
  JOIN chain_lease_rows r ON r.lease_key = l.lease_key AND r.live WHERE l.account_id = $1`;
const BREAKS = `SELECT count(*) AS open FROM breaks WHERE account_id = $1 AND state = 'open'`;

/** The latest transactions tell how the chain is now. */
const CONFIRM = `
  SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ms) AS p50, percentile_disc(0.99) WITHIN GROUP (ORDER BY ms) AS p99,
         count(*) AS count
  FROM (SELECT seen_at_ms - submitted_at_ms AS ms FROM chain_transactions
        WHERE submitted_at_ms IS NOT NULL AND seen_at_ms IS NOT NULL ORDER BY submitted_at_ms DESC LIMIT 10000) AS latest`;
const GAS = `
  SELECT kind, sum(gas_used) AS gas, count(*) AS transactions FROM chain_transactions
  WHERE gas_used IS NOT NULL AND kind IS NOT NULL GROUP BY kind`;
const CLOSED = `SELECT count(*) AS closed FROM leases WHERE closed_at_ms IS NOT NULL`;

export type AccountBooks = {
  readonly leases: Readonly<Partial<Record<LeaseState, number>>>;
  readonly meterMicros: Micros;
  readonly ledgerPaidMicros: Micros;
  readonly chainPaidMicros: Micros;
  readonly refundedMicros: Micros;
  readonly openBreaks: number;
};

export type PlatformFigures = {
  readonly chainConfirmMs: { p50: number | null; p99: number | null; count: number };
  readonly gasUsed: Readonly<Record<IntentKind, bigint>>;
  readonly transactions: number;
  readonly settledLeases: number;
};

const numberOrNull = (value: string | null): number | null => (value === null ? null : Number(value));

/** Totals of one account's leases, each from its own source, in one snapshot; and figures of the platform. */
@Injectable()
export class BooksStore {
  constructor(private readonly dataSource: DataSource) {}

  account(accountId: string): Promise<AccountBooks> {
    return readSnapshot(this.dataSource, async (manager) => {
      const leases: Partial<Record<LeaseState, number>> = {};
      let meterMicros = 0n;
      for (let after = ''; ;) {
        const rows = await manager.query<LeaseRow[]>(LEASES, [accountId, after]);
        for (const lease of rows.map(leaseOfRow)) {
          const state = stateOf(lease);
          leases[state] = (leases[state] ?? 0) + 1;
          meterMicros += meteredMicros(lease);
        }
        const last = rows.at(-1);
        if (!last || rows.length < 1_000) break;
        after = last.lease_id;
      }
      const [ledger] = await manager.query<{ paid: string; refunded: string }[]>(LEDGER, [accountId]);
      const [chain] = await manager.query<{ paid: string }[]>(CHAIN, [accountId]);
      const [breaks] = await manager.query<{ open: string }[]>(BREAKS, [accountId]);
      return {
        leases,
        meterMicros,
        ledgerPaidMicros: BigInt(ledger!.paid),
        chainPaidMicros: BigInt(chain!.paid),
        refundedMicros: BigInt(ledger!.refunded),
        openBreaks: Number(breaks!.open),
      };
    });
  }

  async platform(): Promise<PlatformFigures> {
    const { manager } = this.dataSource;
    const [confirm] =
      await manager.query<{ p50: string | null; p99: string | null; count: string }[]>(CONFIRM);
    const gas = await manager.query<{ kind: IntentKind; gas: string; transactions: string }[]>(GAS);
    const [closed] = await manager.query<{ closed: string }[]>(CLOSED);
    const gasOf = (kind: IntentKind): bigint => BigInt(gas.find((row) => row.kind === kind)?.gas ?? 0);
    return {
      chainConfirmMs: {
        p50: numberOrNull(confirm!.p50),
        p99: numberOrNull(confirm!.p99),
        count: Number(confirm!.count),
      },
      gasUsed: { open: gasOf('open'), settle: gasOf('settle'), close: gasOf('close') },
      transactions: gas.reduce((sum, row) => sum + Number(row.transactions), 0),
      settledLeases: Number(closed!.closed),
    };
  }
}
