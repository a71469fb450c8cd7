import { eventFamily, EventCatalogue, type EventOf, fields } from '@gridbourse/events';
import { ManualClock } from '@gridbourse/kernel';
import { testDatabase } from '@gridbourse/testing';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { EventStore, eventStoreMigrations, migrate } from '../src/index.ts';

const basket = eventFamily('shop', 'basket');
const till = eventFamily('shop', 'till');

export const itemAdded = basket(
  'ItemAdded',
  'Public.',
  z.object({ item: z.string(), priceMicros: fields.micros }),
);
export const basketPaid = basket('BasketPaid', 'Public.', z.object({ totalMicros: fields.micros }));
export const noteTaken = eventFamily('shop', 'basket', 'private')(
  'NoteTaken',
  'Stays in the shop.',
  z.object({ text: z.string() }),
);
export const tillOpened = till('TillOpened', 'Public, of another aggregate.', z.object({ tillId: z.int() }));
export const strayEvent = eventFamily('warehouse', 'shelf')(
  'ShelfMoved',
  'Of another context.',
  z.object({ shelfId: z.int() }),
);

const definitions = [itemAdded, basketPaid, noteTaken, tillOpened, strayEvent] as const;
export type ShopEvent = EventOf<(typeof definitions)[number]>;
export const shopCatalogue = new EventCatalogue<ShopEvent>(definitions);
export const BASKETS = 'gridbourse.shop.basket';

export const added = (item: string, priceMicros = 1_000_000n): ShopEvent => ({
  type: 'ItemAdded',
  item,
  priceMicros,
});
export const paid = (totalMicros: bigint): ShopEvent => ({ type: 'BasketPaid', totalMicros });
export const note = (text: string): ShopEvent => ({ type: 'NoteTaken', text });

export const connect = (url: string, poolSize = 10): Promise<DataSource> =>
  new DataSource({ type: 'postgres', url, migrations: [...eventStoreMigrations], poolSize }).initialize();

export type Shop = {
  readonly url: string;
  readonly dataSource: DataSource;
  readonly clock: ManualClock;
  readonly store: EventStore<ShopEvent>;
  close(): Promise<void>;
};

/** A service's database as `migrate` leaves it, and a store over it. */
export const openShop = async (): Promise<Shop> => {
  const database = await testDatabase('event_store', async (url) => {
    const source = await connect(url);
    await migrate(source);
    await source.destroy();
  });
  const dataSource = await connect(database.url);
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  return {
    url: database.url,
    dataSource,
    clock,
    store: new EventStore({ context: 'shop', catalogue: shopCatalogue, clock }),
    close: async () => {
      if (dataSource.isInitialized) await dataSource.destroy();
      await database.drop();
    },
  };
};

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
