import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { allPages, PROVIDERS, ReadTables } from '../../test/readers.ts';
import { BidEntity } from './bid.entity.ts';
import { type BidFilter, BidReader } from './bid-reader.ts';

// Real here: Postgres, and the tables as the migrations make them.

let tables: ReadTables;
let reader: BidReader;
beforeAll(async () => {
  tables = await ReadTables.create([BidEntity]);
  reader = new BidReader(tables.dataSource);
}, 60_000);
afterAll(() => tables?.close());
beforeEach(() => tables.dataSource.query('TRUNCATE orders CASCADE'));

const STATES = ['sealed', 'lost'] as const;

type Order = { readonly id: string; readonly account: string; readonly closed: boolean };
type Bid = {
  readonly id: string;
  readonly order: Order;
  readonly provider: keyof typeof PROVIDERS;
  readonly state: (typeof STATES)[number];
  readonly atMs: number;
};

const insertOrders = (orders: readonly Order[]): Promise<unknown> =>
  tables.dataSource.query(
    `INSERT INTO orders (order_id, account_id, version, state, name, run, max_rate_micros, duration_seconds, submitted_at_ms,
       expires_at_ms, warnings, request_hash, live, mode, auction)
     SELECT id, account, 1, 'bidding', '', 'job', 1, 1, 1, 1, '[]', '', true, 'auction', CASE WHEN closed THEN '{}'::jsonb END
     FROM jsonb_to_recordset($1::jsonb) AS r (id text, account text, closed boolean)`,
    [JSON.stringify(orders)],
  );

const insertBids = (bids: readonly Bid[]): Promise<unknown> =>
  tables.dataSource.query(
    `INSERT INTO bids (bid_id, order_id, account_id, group_name, provider_id, offer_id, rate_micros, revision, placed_at_ms,
       valid_until_ms, state, failed)
     SELECT id, "order" ->> 'id', "order" ->> 'account', 'main', provider, 'offer', 1, 1, "atMs", 1, state, '[]'
     FROM jsonb_to_recordset($1::jsonb) AS r (id text, "order" jsonb, provider text, state text, "atMs" bigint)`,
    [JSON.stringify(bids)],
  );

/** Tenants a and c; a has providers too. */
const ORDERS: readonly Order[] = [
  { id: 'o1', account: 'a', closed: true },
  { id: 'o2', account: 'a', closed: false },
  { id: 'o3', account: 'c', closed: true },
  { id: 'o4', account: 'c', closed: false },
];

const bids = fc
  .array(
    fc.record({
      order: fc.constantFrom(...ORDERS),
      provider: fc.constantFrom<keyof typeof PROVIDERS>('p1', 'p2', 'p3'),
      state: fc.constantFrom(...STATES),
      atMs: fc.integer({ min: 1, max: 4 }),
    }),
    { maxLength: 25 },
  )
  .map((all): Bid[] => all.map((bid, at) => ({ ...bid, id: `b${String(at * 7).padStart(3, '0')}` })));

const isVisible = ({ order, provider }: Bid, account: string): boolean =>
  PROVIDERS[provider] === account || (order.account === account && order.closed);

/** What the account may see of them, newest first. */
const expectedOf = (
  all: readonly Bid[],
  account: string,
  { state, orderId }: Partial<BidFilter> = {},
): string[] =>
  all
    .filter((bid) => isVisible(bid, account))
    .filter((bid) => state === undefined || bid.state === state)
    .filter((bid) => orderId === undefined || bid.order.id === orderId)
    .sort((x, y) => y.atMs - x.atMs || (x.id < y.id ? 1 : -1))
    .map(({ id }) => id);

describe('the bids that an account sees', () => {
  it('are its own and those on its orders whose windows have closed, each once, newest first, page after page', async () => {
    await fc.assert(
      fc.asyncProperty(
        bids,
        fc.constantFrom('a', 'b', 'c', 'nobody'),
        fc.record({
          limit: fc.integer({ min: 1, max: 6 }),
          state: fc.option(fc.constantFrom(...STATES), { nil: undefined }),
          orderId: fc.option(fc.constantFrom('o1', 'o2', 'o3'), { nil: undefined }),
        }),
        async (all, account, filter) => {
          await tables.dataSource.query('TRUNCATE orders CASCADE');
          await insertOrders(ORDERS);
          await insertBids(all);
          const pages = await allPages(filter.limit, (cursor) => reader.bids(account, { ...filter, cursor }));
          expect(pages.map(({ bidId }) => bidId)).toEqual(expectedOf(all, account, filter));
          for (const bid of all) {
            const one = reader.bid(account, bid.id);
            if (isVisible(bid, account)) expect((await one).bidId).toBe(bid.id);
            else await expect(one).rejects.toMatchObject({ kind: 'not_found' });
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([undefined, 'o77'])(
    'are read by the page, however many there are of it and of others (of the order: %s)',
    async (orderId) => {
      const orders = Array.from({ length: 200 }, (_, at): Order => ({
        id: `o${at}`,
        account: at % 2 === 0 ? 'c' : 'a',
        closed: true,
      }));
      const many = Array.from({ length: 20_000 }, (_, at): Bid => ({
        id: `b${String(at).padStart(6, '0')}`,
        order: orders[at % orders.length]!,
        provider: at % 3 === 0 ? 'p1' : 'p3',
        state: 'lost',
        atMs: at,
      }));
      await insertOrders(orders);
      await insertBids(many);
      await tables.dataSource.query('ANALYZE bids, orders, providers');
      let found: string[] = [];
      const read = await tables.readBy('bids', async () => {
        found = (await reader.bids('a', { limit: 50, orderId })).items.map(({ bidId }) => bidId);
      });
      expect(found).toEqual(expectedOf(many, 'a', { orderId }).slice(0, 50));
      expect(read.inSequence).toBe(0);
      expect(read.byIndex).toBeLessThan(500);
    },
  );
});
