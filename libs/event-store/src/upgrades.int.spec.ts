import { testDatabase } from '@gridbourse/testing';
import { ManualClock } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { added, note, shopCatalogue, type ShopEvent } from '../test/shop.ts';
import { EventStore, eventStoreMigrations, type MigrationClass } from './index.ts';

// Real here: Postgres, and every migration.

const migrated = async (url: string, migrations: readonly MigrationClass[]): Promise<DataSource> => {
  const dataSource = new DataSource({ type: 'postgres', url, migrations: [...migrations] });
  await dataSource.initialize();
  await dataSource.runMigrations();
  return dataSource;
};

/** As a process of the release before writes, by the function that it calls. */
const WRITTEN_BEFORE = `
  SELECT append_to_streams('{basket/b1}', '{b1}', '{gridbourse.shop.basket}', '{0}', '{2}', '{2}', '{1,1}',
    '{ItemAdded,ItemAdded}', '{1,1}', ARRAY['{"item": "gpu é \\u0001", "priceMicros": "7"}', '{"priceMicros": "9", "item": "rack"}'],
    ARRAY['{"operator": "x"}', '{}'], '{1,2}', '{1,2}', '2026-11-27T00:00:00Z')`;

describe('a store of an earlier release', () => {
  it.each([
    ['events were kept taken apart', 6],
    ['every append was one call', 7],
  ])(
    'has the events that it had when %s, goes on behind them, and still serves a process of then',
    async (_, count) => {
      const database = await testDatabase(`store_upgrade_${count}`);
      const before = await migrated(database.url, eventStoreMigrations.slice(0, count));
      await before.query(WRITTEN_BEFORE);
      const positions = await before.query<unknown[]>('SELECT stream_id, version, tx, position FROM events');
      await before.destroy();
      const after = await migrated(database.url, eventStoreMigrations);
      try {
        expect(await after.query('SELECT stream_id, version, tx, position FROM events')).toEqual(positions);
        const store = new EventStore<ShopEvent>({
          context: 'shop',
          catalogue: shopCatalogue,
          clock: new ManualClock(0),
        });
        const old = [added('gpu é \u0001', 7n), added('rack', 9n)];
        expect(await store.history(after.manager, 'basket/b1')).toMatchObject([
          { event: old[0], metadata: { operator: 'x' }, sequence: 1 },
          { event: old[1], metadata: {}, sequence: 2 },
        ]);
        const more = {
          streamId: 'basket/b1',
          expectedVersion: 2,
          events: [note('call back'), added('tap', 1n)],
        };
        await after.transaction((manager) => store.append(manager, [more]));
        expect((await store.load(after.manager, 'basket/b1')).events).toEqual([...old, ...more.events]);
        await after.query(WRITTEN_BEFORE.replaceAll('b1', 'b2'));
        expect((await store.load(after.manager, 'basket/b2')).events).toEqual(old);
      } finally {
        await after.destroy();
        await database.drop();
      }
    },
    60_000,
  );
});
