import { eventStoreMigrations, migrate, sqlMigrations } from '@gridbourse/event-store';
import { testDatabase, type TestDatabase } from '@gridbourse/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DataSource } from 'typeorm';
import { LeaseEntity } from './lease.entity.ts';
import { type LeaseFilter, OrderReader } from './order-reader.ts';
import { OrderEntity } from './order.entity.ts';

// Real here: Postgres, and the tables as the migrations make them.

let database: TestDatabase;
let dataSource: DataSource;
let reader: OrderReader;
beforeAll(async () => {
  database = await testDatabase('order_reader');
  const options = { type: 'postgres', url: database.url } as const;
  const setUp = await new DataSource({
    ...options,
    migrations: [
      ...eventStoreMigrations,
      ...sqlMigrations(new URL('../../migrations/', import.meta.url), 'matchmaker'),
    ],
  }).initialize();
  await migrate(setUp);
  await setUp.destroy();
  // One connection: what was read through it is counted by the time that it is asked for.
  dataSource = await new DataSource({
    ...options,
    entities: [OrderEntity, LeaseEntity],
    poolSize: 1,
  }).initialize();
  reader = new OrderReader(dataSource);
}, 60_000);
afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
});

/** Two providers of one account, one of another; the third account has none. */
const PROVIDERS = { p1: 'a', p2: 'a', p3: 'b' } as const;
const STATES = ['active', 'closed'] as const;

type Row = {
  readonly id: string;
  readonly account: string;
  readonly provider: keyof typeof PROVIDERS;
  readonly order: string;
  readonly state: (typeof STATES)[number];
  readonly atMs: number;
};

beforeEach(async () => {
  await dataSource.query('TRUNCATE leases, providers');
  for (const [providerId, accountId] of Object.entries(PROVIDERS)) {
    await dataSource.query(
      `INSERT INTO providers (provider_id, account_id, name, place, attributes, tier, activated, suspended, presence, sequence)
       VALUES ($1, $2, '', '{}', '{}', 1, true, false, 'online', 1)`,
      [providerId, accountId],
    );
  }
});

const insert = (rows: readonly Row[]): Promise<unknown> =>
  dataSource.query(
    `INSERT INTO leases (lease_id, order_id, account_id, version, group_name, provider_id, offer_id, state, rate_micros,
       duration_seconds, lock_micros, proposed_at_ms, accept_by_ms, capacity_released)
     SELECT id, "order", account, 1, id, provider, 'offer', state, 1, 1, 1, "atMs", 1, false
     FROM jsonb_to_recordset($1::jsonb)
       AS r (id text, "order" text, account text, provider text, state text, "atMs" bigint)`,
    [JSON.stringify(rows)],
  );

const rows = fc
  .array(
    fc.record({
      account: fc.constantFrom('a', 'b', 'c'),
      provider: fc.constantFrom<keyof typeof PROVIDERS>('p1', 'p2', 'p3'),
      order: fc.constantFrom('o1', 'o2', 'o3'),
      state: fc.constantFrom(...STATES),
      atMs: fc.integer({ min: 1, max: 4 }),
    }),
    { maxLength: 25 },
  )
  .map((all): Row[] => all.map((row, at) => ({ ...row, id: `l${String(at * 7).padStart(3, '0')}` })));

/** What the account may see of them, newest first. */
const expectedOf = (all: readonly Row[], account: string, { state, orderId }: LeaseFilter): string[] =>
  all
    .filter((row) => row.account === account || PROVIDERS[row.provider] === account)
    .filter((row) => state === undefined || row.state === state)
    .filter((row) => orderId === undefined || row.order === orderId)
    .sort((x, y) => y.atMs - x.atMs || (x.id < y.id ? 1 : -1))
    .map(({ id }) => id);

const pagesOf = async (account: string, filter: Omit<LeaseFilter, 'cursor'>): Promise<string[]> => {
  const found: string[] = [];
  for (let cursor: string | undefined; ;) {
    const { items, nextCursor } = await reader.leases(account, { ...filter, cursor });
    expect(items.length).toBeLessThanOrEqual(filter.limit);
    found.push(...items.map(({ leaseId }) => leaseId));
    if (nextCursor === null) return found;
    cursor = nextCursor;
  }
};

type Read = { readonly inSequence: number; readonly byIndex: number };

/** Rows of leases that everybody has read so far. */
const readSoFar = async (): Promise<Read> => {
  await dataSource.query('SELECT pg_stat_force_next_flush()');
  const [read] = await dataSource.query<Read[]>(
    `SELECT seq_tup_read::int AS "inSequence", idx_tup_fetch::int AS "byIndex"
     FROM pg_stat_user_tables WHERE relname = 'leases'`,
  );
  return read!;
};

describe('the leases of an account', () => {
  it('are those of its orders and those with its providers, each once, newest first, page after page', async () => {
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.constantFrom('a', 'b', 'c', 'nobody'),
        fc.record({
          limit: fc.integer({ min: 1, max: 6 }),
          state: fc.option(fc.constantFrom(...STATES), { nil: undefined }),
          orderId: fc.option(fc.constantFrom('o1', 'o2'), { nil: undefined }),
        }),
        async (all, account, filter) => {
          await dataSource.query('TRUNCATE leases');
          await insert(all);
          expect(await pagesOf(account, filter)).toEqual(expectedOf(all, account, filter));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are read by the page, however many there are of it and of others', async () => {
    const many = Array.from({ length: 20_000 }, (_, at): Row => ({
      id: `l${String(at).padStart(6, '0')}`,
      account: at % 2 === 0 ? 'a' : 'c',
      provider: at % 3 === 0 ? 'p1' : 'p3',
      order: `o${at}`,
      state: 'closed',
      atMs: at,
    }));
    await insert(many);
    await dataSource.query('ANALYZE leases, providers');
    const before = await readSoFar();
    const { items } = await reader.leases('a', { limit: 50 });
    const after = await readSoFar();
    expect(items.map(({ leaseId }) => leaseId)).toEqual(expectedOf(many, 'a', { limit: 50 }).slice(0, 50));
    expect(after.inSequence - before.inSequence).toBe(0);
    // Those of its orders and those with its provider, once to find them and once to show them.
    expect(after.byIndex - before.byIndex).toBeLessThan(400);
  });
});
