import { EventStore } from '@gridbourse/event-store';
import type { Id, Instant, Micros } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

type TenantRow = {
  wallet: string;
  account_id: Id<'account'> | null;
  deposited_micros: string;
  free_micros: string;
  locked_micros: string;
  spent_micros: string;
  withdrawn_micros: string;
  stream_version: number;
};

/** deposited = free + locked + spent + withdrawn; the database refuses anything else. */
export type TenantBooks = {
  readonly wallet: string;
  readonly accountId: Id<'account'> | null;
  readonly depositedMicros: Micros;
  readonly freeMicros: Micros;
  readonly lockedMicros: Micros;
  readonly spentMicros: Micros;
  readonly withdrawnMicros: Micros;
};

const CREATE = `INSERT INTO tenants (wallet) VALUES ($1) ON CONFLICT DO NOTHING`;
const LOCK = `SELECT * FROM tenants WHERE wallet = ANY($1::text[]) ORDER BY wallet FOR UPDATE`;
const READ = `SELECT * FROM tenants WHERE wallet = $1`;
const ATTRIBUTE = `
  INSERT INTO tenants (wallet, account_id) VALUES ($1, $2)
  ON CONFLICT (wallet) DO UPDATE SET account_id = EXCLUDED.account_id`;
const ADVANCE = `UPDATE tenants SET stream_version = stream_version + 1 WHERE wallet = ANY($1::text[])`;

const booksOf = (row: TenantRow): TenantBooks => ({
  wallet: row.wallet,
  accountId: row.account_id,
  depositedMicros: BigInt(row.deposited_micros),
  freeMicros: BigInt(row.free_micros),
  lockedMicros: BigInt(row.locked_micros),
  spentMicros: BigInt(row.spent_micros),
  withdrawnMicros: BigInt(row.withdrawn_micros),
});

export const noBooks = (wallet: string): TenantBooks => ({
  wallet,
  accountId: null,
  depositedMicros: 0n,
  freeMicros: 0n,
  lockedMicros: 0n,
  spentMicros: 0n,
  withdrawnMicros: 0n,
});

/** The books of tenants by wallet; the ledger keeps their amounts. */
@Injectable()
export class TenantStore {
  constructor(private readonly store: EventStore) {}

  /** Locked until the transaction ends, so that two leases of a tenant are funded one after the other. */
  async lock(manager: EntityManager, wallet: string): Promise<TenantBooks> {
    await manager.query(CREATE, [wallet]);
    const [row] = await manager.query<TenantRow[]>(LOCK, [[wallet]]);
    return booksOf(row!);
  }

  async read(manager: EntityManager, wallet: string): Promise<TenantBooks> {
    const [row] = await manager.query<TenantRow[]>(READ, [wallet]);
    return row ? booksOf(row) : noBooks(wallet);
  }

  /** From now on the books of the wallet are told under this account. */
  async attribute(manager: EntityManager, wallet: string, accountId: string): Promise<void> {
    await manager.query(ATTRIBUTE, [wallet, accountId]);
  }

  /** Publishes EscrowChanged for those of the wallets that have an account. */
  async announce(manager: EntityManager, wallets: readonly string[], now: Instant): Promise<void> {
    if (wallets.length === 0) return;
    const rows = await manager.query<TenantRow[]>(LOCK, [wallets]);
    const known = rows.flatMap((row) =>
      row.account_id === null ? [] : [{ row, accountId: row.account_id }],
    );
    if (known.length === 0) return;
    await this.store.append(
      manager,
      known.map(({ row, accountId }) => {
        const { wallet: _, ...books } = booksOf(row);
        return {
          streamId: `escrow/${accountId}`,
          expectedVersion: row.stream_version,
          events: [{ type: 'EscrowChanged', ...books, accountId, atMs: now }],
        };
      }),
    );
    await manager.query(ADVANCE, [known.map(({ row }) => row.wallet)]);
  }
}
