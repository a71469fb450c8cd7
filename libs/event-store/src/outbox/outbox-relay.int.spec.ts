import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Delivery, EmbeddedBus, recordInbox } from '@gridbourse/event-bus';
import { eventHeaders } from '@gridbourse/events';
import { silentLogger } from '@gridbourse/observability';
import { eventually, testDatabase } from '@gridbourse/testing';
import type { DataSource, QueryRunner } from 'typeorm';
import { RecordingBus } from '../../test/recording-bus.ts';
import {
  added,
  BASKETS,
  connect,
  note,
  openShop,
  range,
  type Shop,
  shopCatalogue,
  type ShopEvent,
} from '../../test/shop.ts';
import { OutboxRelay } from '../index.ts';

/** Generous: other suites run beside this one, and a transaction of theirs holds our readers back too. */
jest.setTimeout(60_000);
const PATIENT = { deadlineMs: 30_000 };

let shop: Shop;
let relays: OutboxRelay[] = [];

beforeEach(async () => {
  shop = await openShop();
});
afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop()));
  relays = [];
  await shop.close();
});

const relayTo = (bus: RecordingBus | EmbeddedBus, dataSource: DataSource = shop.dataSource): OutboxRelay => {
  const relay = new OutboxRelay({
    ...{ dataSource, bus, catalogue: shopCatalogue, context: 'shop', logger: silentLogger },
    pollMs: 20,
    batchSize: 10,
  });
  relays.push(relay);
  relay.start();
  return relay;
};
const append = (streamId: string, expectedVersion: number, ...events: ShopEvent[]): Promise<void> =>
  shop.dataSource.transaction((manager) =>
    shop.store.append(manager, [{ streamId, expectedVersion, events }]),
  );
/** Events behind the checkpoint: all of them, and the public ones. */
const left = async (): Promise<{ all: number; toPublish: number }> => {
  const [row] = await shop.dataSource.query<{ all: number; toPublish: number }[]>(
    `SELECT count(*)::int AS all, count(sequence)::int AS "toPublish"
     FROM events e, outbox_checkpoint c WHERE (e.tx, e.position) > (c.tx, c.position)`,
  );
  return row!;
};
const nothingLeft = async (): Promise<boolean> => (await left()).toPublish === 0;

describe('the outbox relay', () => {
  it('publishes public events as CloudEvents, in order, and keeps private ones at home', async () => {
    const bus = new RecordingBus();
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    await shop.dataSource.transaction((manager) =>
      shop.store.append(manager, [
        {
          streamId: 'basket/b1',
          expectedVersion: 0,
          events: [note('x'), added('gpu', 7n)],
          metadata: { traceparent },
        },
        {
          streamId: 'b2',
          expectedVersion: 0,
          events: [added('rack')],
          metadata: { traceparent: 'nonsense' },
        },
      ]),
    );
    relayTo(bus);
    await eventually(() => bus.published.length === 2, PATIENT);
    expect(bus.published[0]).toEqual({
      topic: BASKETS,
      key: 'b1',
      value: { item: 'gpu', priceMicros: '7' },
      headers: {
        ce_specversion: '1.0',
        ce_id: 'basket/b1@2',
        ce_type: 'gridbourse.shop.ItemAdded.v1',
        ce_source: '/gridbourse/shop',
        ce_time: new Date(shop.clock.now()).toISOString(),
        ce_subject: 'b1',
        ce_dataschema: 'https://gridbourse.dev/schemas/shop.ItemAdded.v1.json',
        sequence: '1',
        traceparent,
      },
    });
    expect(bus.published[1]).toMatchObject({ key: 'b2', headers: { ce_id: 'b2@1', sequence: '1' } });
    for (const { headers } of bus.published) expect(eventHeaders.parse(headers)).toEqual(headers);
  });

  it('publishes each event once and gapless per key, while writers write', async () => {
    const bus = new RecordingBus();
    const relay = relayTo(bus);
    await Promise.all(
      range(6).map(async (n) => {
        for (const i of range(20)) {
          await append(`basket/b${n}`, (i - 1) * 2, added(`${i}`), note('private'));
          relay.wake();
        }
      }),
    );
    await eventually(() => bus.published.length >= 120, PATIENT);
    for (const n of range(6)) {
      const sequences = bus.published
        .filter(({ key }) => key === `b${n}`)
        .map(({ headers }) => headers.sequence);
      expect(sequences).toEqual(range(20).map(String));
    }
    await eventually(nothingLeft, PATIENT);
    expect(bus.published).toHaveLength(120);
  });

  it('steps over any number of private events, and notes now and then that it has', async () => {
    const bus = new RecordingBus();
    relayTo(bus);
    const notes = (many: number): ShopEvent[] => range(many).map((n) => note(`${n}`));
    await append('basket/b1', 0, ...notes(35), added('1'), ...notes(4));
    await append('basket/b2', 0, ...notes(5), added('2'), ...notes(9), added('3'));
    await eventually(() => bus.published.length === 3, PATIENT);
    await eventually(nothingLeft, PATIENT);
    // Each of these is less than a page; together they are more.
    for (const n of range(4)) await append('basket/b3', (n - 1) * 7, ...notes(7));
    await eventually(async () => (await left()).all < 10, PATIENT);
    expect(bus.published.map(({ key, headers }) => [key, headers.sequence])).toEqual([
      ['b1', '1'],
      ['b2', '1'],
      ['b2', '2'],
    ]);
  });

  it('publishes soon after a wake-up, though polling is slow', async () => {
    const bus = new RecordingBus();
    const relay = new OutboxRelay({
      ...{
        dataSource: shop.dataSource,
        bus,
        catalogue: shopCatalogue,
        context: 'shop',
        logger: silentLogger,
      },
      pollMs: 60_000,
    });
    relays.push(relay);
    relay.start();
    for (const n of range(5)) {
      await append(`basket/b${n}`, 0, added('gpu'));
      relay.wake();
      await eventually(() => bus.published.length === n, { everyMs: 1, ...PATIENT });
    }
  });

  it('waits for transactions that began earlier, and then publishes them first', async () => {
    const bus = new RecordingBus();
    relayTo(bus);
    const runner = shop.dataSource.createQueryRunner();
    await runner.startTransaction();
    await shop.store.append(runner.manager, [
      { streamId: 'basket/slow', expectedVersion: 0, events: [added('a')] },
    ]);
    await append('basket/fast', 0, added('b'));
    const rows = await shop.dataSource.query<{ behind: number }[]>(
      'SELECT count(*)::int AS behind FROM events WHERE sequence IS NOT NULL',
    );
    expect(rows).toEqual([{ behind: 1 }]);
    expect(bus.published).toEqual([]);
    await runner.commitTransaction();
    await runner.release();
    await eventually(() => bus.published.length === 2, PATIENT);
    expect(bus.published.map(({ key }) => key)).toEqual(['slow', 'fast']);
  });

  it('keeps the order of a stream whose second event was written by a transaction with a lower id', async () => {
    const bus = new RecordingBus();
    const idOf = (runner: QueryRunner) => runner.query('SELECT pg_current_xact_id()');
    const [early, between] = [shop.dataSource.createQueryRunner(), shop.dataSource.createQueryRunner()];
    for (const runner of [early, between]) {
      await runner.startTransaction();
      await idOf(runner);
    }
    await append('basket/b1', 0, added('first')); // has the highest id of the three, and commits first
    await shop.store.append(early.manager, [
      { streamId: 'basket/b1', expectedVersion: 1, events: [added('second')] },
    ]);
    await early.commitTransaction();
    relayTo(bus);
    // The transaction between the two ids is open: a reader by the writers' own ids would see the second event alone.
    await append('basket/b2', 0, added('other'));
    await between.commitTransaction();
    await eventually(() => bus.published.length === 3, PATIENT);
    expect(bus.published.map(({ key, headers }) => [key, headers.sequence])).toEqual([
      ['b1', '1'],
      ['b1', '2'],
      ['b2', '1'],
    ]);
    await Promise.all([early.release(), between.release()]);
  });

  it('tries again when the bus is away, and loses nothing', async () => {
    const bus = new RecordingBus();
    let tries = 0;
    bus.beforePublish = () => {
      tries += 1;
      if (tries < 4) throw new Error('the bus is away');
    };
    relayTo(bus);
    await append('basket/b1', 0, ...range(25).map((n) => added(`${n}`)));
    await eventually(() => bus.published.length === 25, PATIENT);
    expect(bus.published.map(({ headers }) => headers.sequence)).toEqual(range(25).map(String));
  });

  it('has one owner; the next takes over when the connection of the first is gone', async () => {
    const [first, second] = [new RecordingBus(), new RecordingBus()];
    relayTo(first);
    await append('basket/b1', 0, added('1'));
    await eventually(() => first.published.length === 1, PATIENT);
    const other = await connect(shop.url);
    relayTo(second, other);
    await append('basket/b1', 1, added('2'));
    await eventually(() => first.published.length === 2, PATIENT);
    expect(second.published).toEqual([]);
    await relays[0]!.stop();
    await append('basket/b1', 2, added('3'));
    await eventually(() => second.published.length === 1, PATIENT);
    expect(second.published[0]!.headers.sequence).toBe('3');
    await relays[1]!.stop();
    await other.destroy();
  });

  it('is taken over by a standby when the owner dies, and nothing is missing', async () => {
    const other = await connect(shop.url);
    const buses = [new RecordingBus(), new RecordingBus()];
    relayTo(buses[0]!);
    await append('basket/b1', 0, added('1'));
    await eventually(() => buses[0]!.published.length === 1, PATIENT);
    // From now on the first one's publications never end: it is as good as dead, and its connection is cut.
    const { promise: never, resolve: release } = Promise.withResolvers<void>();
    buses[0]!.beforePublish = () => never;
    relayTo(buses[1]!, other);
    await append('basket/b1', 1, added('2'), added('3'));
    await other.query(
      `SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l
       JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
       WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()`,
    );
    await eventually(() => buses[1]!.published.length >= 2, PATIENT);
    expect(buses[1]!.published.map(({ headers }) => headers.sequence)).toEqual(['2', '3']);
    await append('basket/b1', 3, added('4'));
    await eventually(nothingLeft, PATIENT);
    expect(buses[1]!.published).toHaveLength(3);
    // The dead one comes back to life and ends what it had in hand: that is old, and it cannot move the checkpoint.
    release();
    await relays[0]!.stop();
    expect(await nothingLeft()).toBe(true);
    await relays[1]!.stop();
    await other.destroy();
  });

  it('publishes again what it did not note, and the inbox drops it: the effect happens once', async () => {
    const busDatabase = await testDatabase('bus');
    const bus = new EmbeddedBus({
      databaseUrl: busDatabase.url,
      logger: silentLogger,
      pollMs: 50,
      rebalanceMs: 50,
    });
    const effects: string[] = [];
    const deliveries: Delivery[] = [];
    await bus.subscribe({
      group: 'reader',
      topics: [BASKETS],
      handler: async (delivery) => {
        deliveries.push(delivery);
        const { topic, key, sequence } = delivery;
        await shop.dataSource.transaction(async (manager) => {
          const state = await recordInbox(manager, { consumer: 'reader', topic, key, sequence });
          if (state === 'new') effects.push(`${key} ${sequence}`);
        });
      },
    });
    await append('basket/b1', 0, ...range(5).map((n) => added(`${n}`)));

    // The connection that holds the lock dies after the publication and before the checkpoint.
    let killed = false;
    const dying = new RecordingBus();
    dying.beforePublish = () => undefined;
    dying.publish = async (records) => {
      await bus.publish(records);
      if (killed) return;
      killed = true;
      await shop.dataSource.query(
        `SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l
         JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
         WHERE l.locktype = 'advisory' AND l.pid <> pg_backend_pid()`,
      );
    };
    relayTo(dying);
    await eventually(() => deliveries.length === 10, PATIENT);
    await eventually(nothingLeft, PATIENT);
    expect(deliveries.map(({ sequence }) => sequence)).toEqual([...range(5), ...range(5)]);
    expect(effects).toEqual(range(5).map((n) => `b1 ${n}`));
    await bus.close();
    await busDatabase.drop();
  });
});
