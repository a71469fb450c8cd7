import type { Id, LeaseId } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { ContractReader } from '../../adapters/contract-reader.ts';
import { leaseOfRow, type LeaseRow } from '../../adapters/lease.row.ts';
import { readSnapshot } from '../../adapters/snapshot.ts';
import type { Agreement, BilledLease } from '../../domain/lease.ts';
import { termsNow } from '../../domain/rating.ts';
import type { ChainLease, LedgerLease, LeaseView } from '../../domain/reconciliation.ts';

/** Leases that are not known to agree for good: ended ones leave this list when all sides and storage agree. */
const UNSETTLED = `
  SELECT * FROM leases WHERE opening <> 'none' AND changes <> agreed_changes AND lease_id > $1
  ORDER BY lease_id LIMIT $2`;
const OF_ACCOUNT = `
  SELECT * FROM leases WHERE account_id = $3 AND opening <> 'none' AND lease_id > $1
  ORDER BY lease_id LIMIT $2`;
const AGREED = `
  UPDATE leases l SET agreed_changes = a.changes
  FROM unnest($1::text[], $2::bigint[]) AS a (lease_id, changes) WHERE l.lease_id = a.lease_id`;
const USAGE = `
  SELECT lease_id, sum(seconds) AS seconds FROM usage_records WHERE lease_id = ANY($1::text[]) GROUP BY lease_id`;
const CHAIN = `
  SELECT r.lease_key, max(o.lease_ref) AS lease_ref, max(o.tenant) AS tenant,
         max(o.chain_provider_id) AS chain_provider_id, max(o.rate_micros_per_hour) AS rate, max(o.lock_micros) AS lock,
         coalesce(sum(r.lock_micros) FILTER (WHERE r.kind = 'extended'), 0) AS added,
         sum(r.paid_micros) AS paid, count(*) FILTER (WHERE r.paid_micros > 0) AS payments,
         sum(r.refunded_micros) AS refunded, bool_or(r.kind = 'closed') AS closed
  FROM chain_lease_rows o JOIN chain_lease_rows r ON r.lease_key = o.lease_key AND r.live
  WHERE o.live AND o.kind = 'opened' AND o.lease_ref = ANY($1::text[]) GROUP BY r.lease_key ORDER BY r.lease_key`;
const LEDGER = `
  WITH signed AS (
    SELECT t.lease_key, t.kind, a.tenant, (CASE WHEN t.corrects_id IS NULL THEN 1 ELSE -1 END) AS sign, t.amount_micros,
           CASE WHEN t.corrects_id IS NULL THEN t.credit_account ELSE t.debit_account END AS party
    FROM ledger_transfers t LEFT JOIN ledger_accounts a ON a.account_id = 'locked/' || t.lease_key
    WHERE t.lease_key = ANY($1::text[])
  ), paid_to AS (
    SELECT lease_key, party FROM signed WHERE kind = 'payment' GROUP BY lease_key, party HAVING sum(sign) > 0
  )
  SELECT s.lease_key, max(s.tenant) AS tenant,
         coalesce(sum(sign * amount_micros) FILTER (WHERE kind = 'lock'), 0) AS locked_in,
         coalesce(sum(sign * amount_micros) FILTER (WHERE kind = 'payment'), 0) AS paid,
         coalesce(sum(sign) FILTER (WHERE kind = 'payment'), 0) AS payments,
         coalesce(sum(sign * amount_micros) FILTER (WHERE kind = 'refund'), 0) AS refunded,
         (SELECT array_agg(split_part(p.party, '/', 2)::bigint ORDER BY p.party) FROM paid_to p
          WHERE p.lease_key = s.lease_key) AS paid_to
  FROM signed s GROUP BY s.lease_key`;

type ChainRow = {
  lease_key: string;
  lease_ref: string;
  tenant: string;
  chain_provider_id: string;
  rate: string;
  lock: string;
  added: string;
  paid: string;
  payments: string;
  refunded: string;
  closed: boolean;
};
type LedgerRow = {
  lease_key: string;
  tenant: string | null;
  locked_in: string;
  paid: string;
  payments: string;
  refunded: string;
  paid_to: string[] | null;
};

type ReadLease = Omit<ReconcilableLease, 'ended'> & { readonly lease: BilledLease };

export type ReconcilableLease = {
  readonly accountId: Id<'account'>;
  readonly view: LeaseView;
  readonly changes: string;
  /** Nothing more will happen to it, unless a reorg makes it. */
  readonly ended: boolean;
};

const chainLeaseOf = (row: ChainRow): ChainLease => ({
  tenant: row.tenant,
  chainProviderId: Number(row.chain_provider_id),
  rateMicrosPerHour: BigInt(row.rate),
  lockMicros: BigInt(row.lock),
  addedMicros: BigInt(row.added),
  paidMicros: BigInt(row.paid),
  payments: Number(row.payments),
  refundedMicros: BigInt(row.refunded),
  closed: row.closed,
});

const ledgerLeaseOf = (row: LedgerRow): LedgerLease => ({
  lockedInMicros: BigInt(row.locked_in),
  paidMicros: BigInt(row.paid),
  payments: Number(row.payments),
  refundedMicros: BigInt(row.refunded),
  tenant: row.tenant,
  paidTo: (row.paid_to ?? []).map(Number),
});

/** The three sides of leases, read in one snapshot, and the contract's storage beside them. */
@Injectable()
export class LeaseViews {
  constructor(
    private readonly dataSource: DataSource,
    private readonly contract: ContractReader,
  ) {}

  /** @returns the next page behind `after`, in the order of lease ids */
  async page(options: {
    after: string;
    limit: number;
    accountId: string | null;
  }): Promise<readonly ReconcilableLease[]> {
    const read = await readSnapshot(this.dataSource, (manager) => this.read(manager, options));
    const contract = await this.contract.leases(
      read.flatMap(({ lease }) =>
        lease.leaseKey !== null && lease.closedAtMs !== null ? [lease.leaseKey] : [],
      ),
    );
    return read.map(({ lease, ...one }) => {
      const view = { ...one.view, contract: contract.get(lease.leaseKey ?? '') ?? null };
      const neverOpened = lease.opening === 'failed' && view.chain.length === 0;
      return { ...one, view, ended: neverOpened || (lease.closedAtMs !== null && view.contract !== null) };
    });
  }

  /** Not looked at again until they change. */
  async agreed(manager: EntityManager, leases: readonly ReconcilableLease[]): Promise<void> {
    if (leases.length === 0) return;
    await manager.query(AGREED, [
      leases.map(({ view }) => view.leaseId),
      leases.map(({ changes }) => changes),
    ]);
  }

  private async read(
    manager: EntityManager,
    { after, limit, accountId }: { after: string; limit: number; accountId: string | null },
  ): Promise<ReadLease[]> {
    const rows =
      accountId === null
        ? await manager.query<LeaseRow[]>(UNSETTLED, [after, limit])
        : await manager.query<LeaseRow[]>(OF_ACCOUNT, [after, limit, accountId]);
    const leases = rows.map(leaseOfRow);
    const usage = await this.usage(manager, leases);
    const chain = await this.chain(manager, leases);
    const ledger = await this.ledger(manager, leases);
    return leases.flatMap((lease, index) => {
      const { agreement, leaseKey } = lease;
      if (agreement === null) return [];
      const view = viewOf(lease, agreement, {
        windowSeconds: usage.get(lease.leaseId) ?? 0,
        chain: chain.get(agreement.leaseRef) ?? [],
        ledger: ledger.get(leaseKey ?? '') ?? null,
      });
      return [{ lease, accountId: agreement.accountId, changes: rows[index]!.changes, view }];
    });
  }

  private async usage(manager: EntityManager, leases: readonly BilledLease[]): Promise<Map<LeaseId, number>> {
    const rows = await manager.query<{ lease_id: LeaseId; seconds: string }[]>(USAGE, [
      leases.map(({ leaseId }) => leaseId),
    ]);
    return new Map(rows.map((row) => [row.lease_id, Number(row.seconds)]));
  }

  private async chain(
    manager: EntityManager,
    leases: readonly BilledLease[],
  ): Promise<Map<string, ChainLease[]>> {
    const refs = leases.flatMap(({ agreement }) => (agreement ? [agreement.leaseRef] : []));
    const byRef = new Map<string, ChainLease[]>();
    for (const row of await manager.query<ChainRow[]>(CHAIN, [refs])) {
      byRef.set(row.lease_ref, [...(byRef.get(row.lease_ref) ?? []), chainLeaseOf(row)]);
    }
    return byRef;
  }

  private async ledger(
    manager: EntityManager,
    leases: readonly BilledLease[],
  ): Promise<Map<string, LedgerLease>> {
    const keys = leases.flatMap(({ leaseKey }) => (leaseKey === null ? [] : [leaseKey]));
    const rows = await manager.query<LedgerRow[]>(LEDGER, [keys]);
    return new Map(rows.map((row) => [row.lease_key, ledgerLeaseOf(row)]));
  }
}

type Sides = {
  windowSeconds: number;
  chain: readonly ChainLease[];
  ledger: LedgerLease | null;
};

const viewOf = (lease: BilledLease, agreement: Agreement, sides: Sides): LeaseView => ({
  leaseId: lease.leaseId,
  terms: agreement,
  termsNow: termsNow(agreement, lease.lockChange),
  tenant: agreement.tenant,
  chainProviderId: agreement.chainProviderId,
  meter: {
    cumulativeSeconds: lease.meter.cumulativeSeconds,
    windowSeconds: sides.windowSeconds,
    closed: lease.meter.closed,
  },
  chain: sides.chain,
  ledger: sides.ledger,
  contract: null,
  owedSinceMs: lease.owedSinceMs,
});
