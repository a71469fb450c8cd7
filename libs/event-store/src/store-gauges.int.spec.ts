import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { renderMetrics, serviceMeter, silentLogger } from '@gridbourse/observability';
import { eventually } from '@gridbourse/testing';
import { RecordingBus } from '../test/recording-bus.ts';
import { added, openShop, range, type Shop, shopCatalogue } from '../test/shop.ts';
import { OutboxRelay, StoreGauges } from './index.ts';

/** Generous: other suites run beside this one. */
jest.setTimeout(60_000);

let shop: Shop;
let meters = 0;
let meterName: string;

beforeEach(async () => {
  shop = await openShop();
  meterName = `store-gauges-${process.pid}-${(meters += 1)}`;
});
afterEach(() => shop.close());

const gauge = async (name: string): Promise<number> => {
  const line = new RegExp(`^${name}\\{[^}]*context="shop"[^}]*\\} (\\S+)`, 'm').exec(
    await renderMetrics(meterName),
  );
  return Number(line?.[1] ?? Number.NaN);
};
const gauges = (): StoreGauges =>
  new StoreGauges({ dataSource: shop.dataSource, context: 'shop', meter: serviceMeter(meterName) });
const append = (streamId: string, count: number): Promise<void> =>
  shop.dataSource.transaction((manager) =>
    shop.store.append(manager, [
      { streamId, expectedVersion: 0, events: range(count).map((n) => added(`${n}`)) },
    ]),
  );

describe('the gauges of a store', () => {
  it('tell the age of the transaction that holds the readers back', async () => {
    const holder = shop.dataSource.createQueryRunner();
    await holder.startTransaction();
    const readerAge = gauges();
    await holder.query('SELECT pg_current_xact_id()');
    const age = await eventually(async () => {
      await readerAge.measure();
      const seconds = await gauge('event_store_reader_age_seconds');
      return seconds > 0.2 && seconds;
    });
    // Other tests share the server, so only this much is certain: as long as it is open, it only gets older.
    await readerAge.measure();
    expect(await gauge('event_store_reader_age_seconds')).toBeGreaterThan(age);
    const [mine] = (await holder.query(
      `SELECT extract(epoch FROM clock_timestamp() - now())::float8 AS seconds`,
    )) as { seconds: number }[];
    await holder.rollbackTransaction();
    await holder.release();
    await eventually(async () => {
      await readerAge.measure();
      expect(await gauge('event_store_reader_age_seconds')).toBeLessThan(mine!.seconds);
    });
  });

  it('do not mind a transaction that only reads: it holds nobody back', async () => {
    const reader = shop.dataSource.createQueryRunner();
    await reader.startTransaction();
    const [begun] = (await reader.query('SELECT now()::text AS at')) as { at: string }[];
    await append('basket/b', 1);
    const readerAge = gauges();
    await eventually(async () => {
      const [open] = await shop.dataSource.query<{ seconds: number }[]>(
        `SELECT extract(epoch FROM clock_timestamp() - $1::timestamptz)::float8 AS seconds`,
        [begun!.at],
      );
      const { seconds } = open!;
      expect(seconds).toBeGreaterThan(0.2);
      await readerAge.measure();
      expect(await gauge('event_store_reader_age_seconds')).toBeLessThan(seconds);
      expect(await shop.store.read(shop.dataSource.manager, { limit: 10 })).toHaveLength(1);
    });
    await reader.rollbackTransaction();
    await reader.release();
  });

  it('count what is not published, also while the relay hangs', async () => {
    const bus = new RecordingBus();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let hangs = false;
    bus.beforePublish = async () => {
      hangs = true;
      await gate;
    };
    shop.clock.advance(Date.now() - 60_000 - shop.clock.now());
    await append('basket/b', 7);
    const relay = new OutboxRelay({
      ...{
        dataSource: shop.dataSource,
        bus,
        catalogue: shopCatalogue,
        context: 'shop',
        logger: silentLogger,
      },
      ...{ meter: serviceMeter(meterName), pollMs: 20, measureMs: 5 },
    });
    relay.start();
    await eventually(() => hangs);
    await append('basket/c', 2);
    await eventually(async () => {
      expect(await gauge('outbox_lag_events')).toBe(9);
      expect(await gauge('outbox_lag_seconds')).toBeGreaterThan(59);
    });
    open();
    await eventually(async () => {
      expect(await gauge('outbox_lag_events')).toBe(0);
      expect(await gauge('outbox_lag_seconds')).toBe(0);
    });
    await relay.stop();
  });

  it('look at what is behind the checkpoint, however long the history before it is', async () => {
    await append('basket/history', 3_000);
    await shop.dataSource.query(
      'UPDATE outbox_checkpoint SET (tx, position) = (SELECT tx, position FROM events ORDER BY tx DESC, position DESC LIMIT 1)',
    );
    await append('basket/b', 5);
    const read = await shop.dataSource.transaction(async (manager) => {
      const dataSource = { query: manager.query.bind(manager) } as typeof shop.dataSource;
      await new StoreGauges({ dataSource, context: 'shop', meter: serviceMeter(meterName) }).measure();
      const [rows] = await manager.query<{ events: number }[]>(
        `SELECT (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int AS events
         FROM pg_stat_xact_user_tables WHERE relname = 'events'`,
      );
      return rows!.events;
    });
    expect(await gauge('outbox_lag_events')).toBe(5);
    expect(read).toBeLessThan(50);
  });
});
