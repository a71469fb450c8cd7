import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { allPages, PROVIDERS, ReadTables } from '../../test/readers.ts';
import { LeaseEntity } from './lease.entity.ts';
import { type LeaseFilter, OrderReader } from './order-reader.ts';
import { OrderEntity } from './order.entity.ts';

// Real here: Postgres, and the tables as the migrations make them.

let tables: ReadTables;
let reader: OrderReader;
beforeAll(async () => {
  tables = await ReadTables.create([OrderEntity, LeaseEntity]);
  reader = new OrderReader(tables.dataSource);
}, 60_000);
afterAll(() => tables?.close());
beforeEach(() => tables.dataSource.query('TRUNCATE leases'));

const STATES = ['active', 'closed'] as const;

type Row = {
  readonly id: string;
  readonly account: string;
  readonly provider: keyof typeof PROVIDERS;
  readonly order: string;
  readonly state: (typeof STATES)[number];
  readonly atMs: number;
};

const insert = (rows: readonly Row[]): Promise<unknown> =>
  tables.dataSource.query(
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
  const all = await allPages(filter.limit, (cursor) => reader.leases(account, { ...filter, cursor }));
  return all.map(({ leaseId }) => leaseId);
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
          await tables.dataSource.query('TRUNCATE leases');
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
    await tables.dataSource.query('ANALYZE leases, providers');
    let found: string[] = [];
    const read = await tables.readBy('leases', async () => {
      found = (await reader.leases('a', { limit: 50 })).items.map(({ leaseId }) => leaseId);
    });
    expect(found).toEqual(expectedOf(many, 'a', { limit: 50 }).slice(0, 50));
    expect(read.inSequence).toBe(0);
    // Those of its orders and those with its provider, once to find them and once to show them.
    expect(read.byIndex).toBeLessThan(400);
  });
});
