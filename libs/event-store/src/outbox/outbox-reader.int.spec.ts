import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { QueryRunner } from 'typeorm';
import { added, note, openShop, range, type Shop, type ShopEvent } from '../../test/shop.ts';
import { type Cursor, START } from '../cursor.ts';
import { nextOutboxPage, type OutboxPage } from './outbox-reader.ts';

// Real here: Postgres.

jest.setTimeout(60_000);

let shop: Shop;
let reader: QueryRunner;
beforeAll(async () => {
  shop = await openShop();
  reader = shop.dataSource.createQueryRunner();
  await reader.connect();
});
afterAll(async () => {
  await reader?.release();
  await shop?.close();
});

let baskets = 0;
const append = (...events: ShopEvent[]): Promise<void> =>
  shop.dataSource.transaction((manager) =>
    shop.store.append(manager, [{ streamId: `basket/${(baskets += 1)}`, expectedVersion: 0, events }]),
  );
const page = (after: Cursor, limit: number): Promise<OutboxPage> =>
  nextOutboxPage(reader, { after, limit, recent: undefined });
const notes = (many: number): ShopEvent[] => range(many).map((n) => note(`${n}`));

/** From behind everything that is there, while a transaction of before is open. @returns what `look` does */
const behindAnOpenTransaction = async (look: (after: Cursor) => Promise<void>): Promise<void> => {
  const [end] = await shop.dataSource.query<Cursor[]>(
    'SELECT tx::text AS tx, position FROM events ORDER BY events.tx DESC, position DESC LIMIT 1',
  );
  const open = shop.dataSource.createQueryRunner();
  try {
    await open.startTransaction();
    await open.query('SELECT pg_current_xact_id()');
    await look(end ?? START);
  } finally {
    await open.rollbackTransaction();
    await open.release();
  }
};

describe('a page of the outbox', () => {
  it('ends where the last event stands that it looked at, and has the public ones', async () => {
    await append(...notes(3), added('a'), ...notes(2), added('b'), note('last'));
    let [place, looks] = [START, 0];
    const found: string[] = [];
    // Transactions of other suites hold it back for a while.
    while (looks < 8) {
      const { events, last, looked } = await page(place, 3);
      found.push(...events.map(({ id, sequence }) => `${id} ${sequence}`));
      looks += looked;
      place = last ?? place;
    }
    expect(looks).toBe(8);
    expect(found).toEqual([`basket/${baskets}@4 1`, `basket/${baskets}@7 2`]);
    expect(await page(place, 3)).toEqual({ events: [], last: null, looked: 0, again: 'later' });
  });

  it('is asked for again soon where public events wait for older transactions, not for the sake of private ones', async () => {
    await behindAnOpenTransaction(async (after) => {
      await append(...notes(4));
      expect(await page(after, 10)).toMatchObject({ last: null, again: 'later' });
      // There may be a public one behind these.
      expect(await page(after, 4)).toMatchObject({ last: null, again: 'soon' });
      await append(added('a'));
      expect(await page(after, 10)).toMatchObject({ last: null, again: 'soon' });
    });
  });
});
