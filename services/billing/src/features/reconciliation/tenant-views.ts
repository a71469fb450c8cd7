import type { Id, Micros } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { ContractReader } from '../../adapters/contract-reader.ts';
import { readSnapshot } from '../../adapters/snapshot.ts';
import type { Finding, TenantView } from '../../domain/reconciliation.ts';

/** Below the newest block that we have heard of, every log has been heard: the contract is asked about that height. */
const SETTLED_HEIGHT = `SELECT max(block_number) - 1 AS height FROM chain_logs WHERE state <> 'retracted'`;
const MOVED = `
  SELECT * FROM tenants
  WHERE wallet > $1 AND (movements <> agreed_movements
    OR EXISTS (SELECT 1 FROM breaks b WHERE b.subject = wallet AND b.state <> 'resolved'))
  ORDER BY wallet LIMIT $2`;
const OF_WALLET = `SELECT * FROM tenants WHERE wallet = $1`;
const CHAIN = `
  WITH logs AS (
    SELECT tenant, name, block_number, amount_micros AS amount FROM chain_logs
    WHERE tenant = ANY($1::text[]) AND state <> 'retracted' AND name IN ('Deposited', 'Withdrawn')
  ), rows AS (
    SELECT r.tenant, l.block_number, r.refunded_micros - coalesce(r.lock_micros, 0) AS freed
    FROM chain_lease_rows r JOIN chain_logs l USING (chain_id, block_hash, log_index)
    WHERE r.live AND r.tenant = ANY($1::text[])
  ), moves AS (
    SELECT tenant, block_number, CASE name WHEN 'Deposited' THEN amount ELSE 0 END AS deposited,
           CASE name WHEN 'Withdrawn' THEN amount ELSE 0 END AS withdrawn, 0::bigint AS freed FROM logs
    UNION ALL SELECT tenant, block_number, 0, 0, freed FROM rows
  )
  SELECT tenant, sum(deposited) AS deposited, sum(withdrawn) AS withdrawn,
         sum(deposited - withdrawn + freed) AS free,
         coalesce(sum(deposited - withdrawn + freed) FILTER (WHERE block_number <= $2), 0) AS settled_free
  FROM moves GROUP BY tenant`;
const HELD = `
  SELECT coalesce(sum(CASE WHEN name = 'Deposited' THEN amount_micros ELSE -amount_micros END), 0) AS held
  FROM chain_logs
  WHERE state <> 'retracted' AND block_number <= $1 AND name IN ('Deposited', 'Withdrawn', 'EarningsClaimed')`;
const AGREED = `
  UPDATE tenants t SET agreed_movements = a.movements
  FROM unnest($1::text[], $2::bigint[]) AS a (wallet, movements) WHERE t.wallet = a.wallet`;

type TenantRow = {
  wallet: string;
  account_id: Id<'account'> | null;
  deposited_micros: string;
  free_micros: string;
  locked_micros: string;
  spent_micros: string;
  withdrawn_micros: string;
  movements: string;
};
type ChainRow = { tenant: string; deposited: string; withdrawn: string; free: string; settled_free: string };

export type ReconcilableTenant = {
  readonly accountId: Id<'account'> | null;
  readonly movements: bigint;
  readonly view: TenantView;
  /** What the contract's storage said of an earlier height, where it was other than the events up to there. */
  readonly storageGap: Finding | null;
};

/** Tenants with the sums of the chain's events and the contract's own word. */
@Injectable()
export class TenantViews {
  constructor(
    private readonly dataSource: DataSource,
    private readonly contract: ContractReader,
  ) {}

  /** @returns the next page behind `after`, in the order of wallets; of one wallet, only that */
  async page(options: {
    after: string;
    limit: number;
    wallet: string | null;
  }): Promise<readonly ReconcilableTenant[]> {
    const { rows, height, chain } = await readSnapshot(this.dataSource, (manager) =>
      this.read(manager, options),
    );
    const wallets = rows.map((row) => row.wallet);
    const storage = height === null ? new Map<string, Micros>() : await this.contract.freeAt(wallets, height);
    return rows.map((row) => tenantOf(row, chain.get(row.wallet), storage.get(row.wallet) ?? null));
  }

  /** The contract must hold at least what its events say it does (anybody may send it more). */
  async escrowGap(): Promise<Finding | null> {
    const { height, booked } = await readSnapshot(this.dataSource, async (manager) => {
      const settled = await this.settledHeight(manager);
      const [row] = await manager.query<{ held: string }[]>(HELD, [settled ?? -1]);
      return { height: settled, booked: BigInt(row!.held) };
    });
    const held = height === null ? null : await this.contract.heldAt(height);
    if (held === null || held >= booked) return null;
    return {
      kind: 'wrong_amount',
      subject: 'escrow',
      meterMicros: null,
      ledgerMicros: booked,
      chainMicros: held,
      detail: `the contract holds fewer tokens than its events say at block ${height}`,
    };
  }

  /** Not looked at again until they move. */
  async agreed(manager: EntityManager, tenants: readonly ReconcilableTenant[]): Promise<void> {
    if (tenants.length === 0) return;
    await manager.query(AGREED, [
      tenants.map(({ view }) => view.wallet),
      tenants.map(({ movements }) => movements.toString()),
    ]);
  }

  private async read(
    manager: EntityManager,
    { after, limit, wallet }: { after: string; limit: number; wallet: string | null },
  ) {
    const rows =
      wallet === null
        ? await manager.query<TenantRow[]>(MOVED, [after, limit])
        : await manager.query<TenantRow[]>(OF_WALLET, [wallet]);
    const height = await this.settledHeight(manager);
    const sums = await manager.query<ChainRow[]>(CHAIN, [rows.map((row) => row.wallet), height ?? -1]);
    return { rows, height, chain: new Map(sums.map((row) => [row.tenant, row])) };
  }

  private async settledHeight(manager: EntityManager): Promise<number | null> {
    const [row] = await manager.query<{ height: string | null }[]>(SETTLED_HEIGHT);
    return row?.height === null || row === undefined ? null : Number(row.height);
  }
}

const tenantOf = (
  row: TenantRow,
  chain: ChainRow | undefined,
  storage: Micros | null,
): ReconcilableTenant => {
  const settledFree = BigInt(chain?.settled_free ?? 0);
  return {
    accountId: row.account_id,
    movements: BigInt(row.movements),
    view: {
      wallet: row.wallet,
      ledger: {
        depositedMicros: BigInt(row.deposited_micros),
        freeMicros: BigInt(row.free_micros),
        lockedMicros: BigInt(row.locked_micros),
        spentMicros: BigInt(row.spent_micros),
        withdrawnMicros: BigInt(row.withdrawn_micros),
      },
      chain: {
        depositedMicros: BigInt(chain?.deposited ?? 0),
        withdrawnMicros: BigInt(chain?.withdrawn ?? 0),
        freeMicros: BigInt(chain?.free ?? 0),
      },
    },
    storageGap:
      storage === null || storage === settledFree
        ? null
        : {
            kind: 'missing',
            subject: row.wallet,
            meterMicros: null,
            ledgerMicros: settledFree,
            chainMicros: storage,
            detail: "free in the contract's storage is other than by its events: an event is missing",
          },
  };
};
