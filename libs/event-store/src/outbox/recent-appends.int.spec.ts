import { silentLogger } from '@gridbourse/observability';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import type { EntityManager } from 'typeorm';
import { RecordingBus } from '../../test/recording-bus.ts';
import { added, note, openShop, range, type Shop, shopCatalogue } from '../../test/shop.ts';
import { type Append, OutboxRelay } from '../index.ts';

// Real here: Postgres. What the relay has from memory has to be what it would have read.

jest.setTimeout(120_000);
const PATIENT = { deadlineMs: 30_000, everyMs: 2 };

/** So many private events that an append is copied, which is when it is kept in memory. */
const WEIGHT = 100;

type Step = {
  readonly kind: 'committed' | 'undone' | 'partly undone' | 'crossing';
  /** Whether there are enough events to be copied: of the first append, and of the second. */
  readonly heavy: readonly [boolean, boolean];
  readonly streams: readonly [string, string];
  readonly events: readonly [number, number];
  /** Whether the savepoint to which something was undone is given up before the next append. */
  readonly released: boolean;
};

const stream = fc.constantFrom('a', 'b', 'c');
const count = fc.integer({ min: 1, max: 3 });
const heavy = fc.oneof(
  { weight: 3, arbitrary: fc.constant(true) },
  { weight: 1, arbitrary: fc.constant(false) },
);
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('committed', 'undone', 'partly undone', 'crossing'),
    heavy: fc.tuple(heavy, heavy),
    streams: fc.tuple(stream, stream),
    events: fc.tuple(count, count),
    released: fc.boolean(),
  }),
  { minLength: 1, maxLength: 8 },
);

let shop: Shop;
let bus: RecordingBus;
let taken: number;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());
beforeEach(async () => {
  await shop.dataSource.query(
    `TRUNCATE events, streams; UPDATE outbox_checkpoint SET tx = '0', position = 0`,
  );
  bus = new RecordingBus();
  taken = 0;
});

const relayTo = (to: RecordingBus, fromMemory: boolean): OutboxRelay => {
  const relay = new OutboxRelay({
    ...{
      dataSource: shop.dataSource,
      bus: to,
      catalogue: shopCatalogue,
      context: 'shop',
      logger: silentLogger,
    },
    ...(fromMemory && { recent: shop.store.recent }),
    pollMs: 5,
    batchSize: 7,
  });
  relay.start();
  return relay;
};

const unpublished = async (): Promise<number> =>
  (
    await shop.dataSource.query<{ events: number }[]>(
      `SELECT count(*)::int AS events FROM events e, outbox_checkpoint c
       WHERE sequence IS NOT NULL AND (e.tx, e.position) > (c.tx, c.position)`,
    )
  )[0]!.events;

/** Everything once more, read from the table. */
const readBack = async (): Promise<RecordingBus> => {
  await shop.dataSource.query(`UPDATE outbox_checkpoint SET tx = '0', position = 0`);
  const second = new RecordingBus();
  const relay = relayTo(second, false);
  await eventually(async () => (await unpublished()) === 0, PATIENT);
  await relay.stop();
  return second;
};

/** Runs while a relay with memory is the owner, and stops it when it has published everything. */
const whileRelayed = async (work: () => Promise<unknown>): Promise<void> => {
  const take = jest.spyOn(shop.store.recent, 'take');
  const relay = relayTo(bus, true);
  try {
    await shop.dataSource.transaction((manager) =>
      shop.store.append(manager, [
        { streamId: `basket/first`, expectedVersion: 0, events: [added('first')] },
      ]),
    );
    await eventually(() => bus.published.length === 1, PATIENT);
    await work();
    await eventually(async () => (await unpublished()) === 0, PATIENT);
  } finally {
    await relay.stop();
    taken = take.mock.results.filter(({ value }) => value !== null).length;
    take.mockRestore();
  }
};

const append = (
  manager: EntityManager,
  appends: readonly Append<ReturnType<typeof added>>[],
): Promise<void> => shop.store.append(manager, appends);

describe('what was appended lately', () => {
  let weights = 0;
  const weight = () => ({
    streamId: `weight/${(weights += 1)}`,
    expectedVersion: 0,
    events: range(WEIGHT).map((n) => note(`${n}`)),
  });

  it('is published just as it would be read, whatever is undone, interleaved or too small to be kept', async () => {
    let [runs, fromMemory] = [0, 0];
    await fc.assert(
      fc.asyncProperty(steps, async (generated) => {
        await shop.dataSource.query(
          `TRUNCATE events, streams; UPDATE outbox_checkpoint SET tx = '0', position = 0`,
        );
        bus = new RecordingBus();
        runs += 1;
        const versions = new Map<string, number>();
        const prepared = (name: string, events: number, isHeavy: boolean) => {
          const expectedVersion = versions.get(name) ?? 0;
          const one = {
            streamId: `basket/${name}`,
            expectedVersion,
            events: range(events).map((n) => added(`${runs} ${name} ${n}`)),
            metadata: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-0${events % 2}` },
          };
          const done = (): unknown => versions.set(name, expectedVersion + events);
          return { appends: isHeavy ? [weight(), one] : [one], done };
        };
        const first = ({ streams, events, heavy: [h] }: Step) => prepared(streams[0], events[0], h);
        const second = ({ streams, events, heavy: [, h] }: Step) => prepared(streams[1], events[1], h);
        const play: Record<Step['kind'], (step: Step) => Promise<void>> = {
          committed: (step) =>
            shop.dataSource.transaction(async (manager) => {
              for (const part of [first, second]) {
                const { appends, done } = part(step);
                await append(manager, appends);
                done();
              }
            }),
          undone: (step) =>
            shop.dataSource
              .transaction(async (manager) => {
                await append(manager, first(step).appends);
                throw new Error('on second thought');
              })
              .catch(() => undefined),
          'partly undone': (step) =>
            shop.dataSource.transaction(async (manager) => {
              await manager.query('SAVEPOINT before');
              await append(manager, first(step).appends);
              await manager.query('ROLLBACK TO SAVEPOINT before');
              if (step.released) await manager.query('RELEASE SAVEPOINT before');
              const { appends, done } = second(step);
              await append(manager, appends);
              done();
            }),
          // The one that has its id first writes last, to a stream of the other: its events get the other's id.
          crossing: async (step) => {
            const early = shop.dataSource.createQueryRunner();
            await early.startTransaction();
            await early.query('SELECT pg_current_xact_id()');
            await shop.dataSource.transaction(async (manager) => {
              const { appends, done } = first(step);
              await append(manager, appends);
              done();
            });
            const { appends, done } = second(step);
            await append(early.manager, appends);
            done();
            await early.commitTransaction();
            await early.release();
          },
        };
        await whileRelayed(async () => {
          for (const step of generated) await play[step.kind](step);
        });
        fromMemory += taken;
        expect(bus.published).toEqual((await readBack()).published);
      }),
      { numRuns: 40 },
    );
    // A transaction that others have just stopped holding back may be read from the table first.
    expect(fromMemory).toBeGreaterThan(5);
  });

  it('is what stands in the table, should as many events of others stand there as were undone', async () => {
    const one = (streamId: string, expectedVersion: number, item: string) => [
      weight(),
      { streamId, expectedVersion, events: [added(item)] },
    ];
    await whileRelayed(async () => {
      const early = shop.dataSource.createQueryRunner();
      await early.startTransaction();
      await early.query('SELECT pg_current_xact_id()');
      await shop.dataSource.transaction(async (manager) => {
        await manager.query('SAVEPOINT before');
        await append(manager, one('basket/a', 0, 'undone'));
        await manager.query('ROLLBACK TO SAVEPOINT before; RELEASE SAVEPOINT before');
        await append(manager, one('basket/b', 0, 'kept'));
      });
      await append(early.manager, one('basket/b', 1, 'of another'));
      await early.commitTransaction();
      await early.release();
    });
    const items = bus.published.map(({ value }) => (value as { item: string }).item);
    expect(items).toEqual(['first', 'kept', 'of another']);
  });

  it('is what stands in the table, should something else have been appended in place of what was undone', async () => {
    await whileRelayed(() =>
      shop.dataSource.transaction(async (manager) => {
        await manager.query('SAVEPOINT before');
        await append(manager, [
          weight(),
          { streamId: 'basket/a', expectedVersion: 0, events: [added('undone')] },
        ]);
        await manager.query('ROLLBACK TO SAVEPOINT before; RELEASE SAVEPOINT before');
        await append(manager, [{ streamId: 'basket/a', expectedVersion: 0, events: [added('kept')] }]);
      }),
    );
    expect(bus.published.map(({ value }) => (value as { item: string }).item)).toEqual(['first', 'kept']);
  });

  it('is what stands in the table, should as many be left of a transaction as were kept of it', async () => {
    const append10 = async (manager: EntityManager): Promise<void> => {
      const [kept, small] = [3, 7].map((events) => range(events).map((n) => added(`${events} ${n}`)));
      await append(manager, [weight(), { streamId: 'basket/a', expectedVersion: 0, events: kept! }]);
      // Too few to be kept, and as many as the relay reads at once: then three are left, and they are not those three.
      await append(manager, [{ streamId: 'basket/b', expectedVersion: 0, events: small! }]);
    };
    await whileRelayed(() => shop.dataSource.transaction(append10));
    expect(bus.published).toEqual((await readBack()).published);
    expect(bus.published).toHaveLength(11);
  });

  it('comes from the table when the bus was away in the middle of it', async () => {
    let away = 0;
    bus.beforePublish = () => {
      if (bus.published.length > 20 && away < 3) {
        away += 1;
        throw new Error('the bus is away');
      }
    };
    await whileRelayed(async () => {
      for (const streamId of ['basket/a', 'basket/b', 'basket/c']) {
        const events = range(20).map((n) => added(`${n}`));
        await shop.dataSource.transaction((manager) =>
          append(manager, [weight(), { streamId, expectedVersion: 0, events }]),
        );
      }
    });
    expect(away).toBe(3);
    const items = (of: RecordingBus): string[] =>
      of.published.map(({ key, headers }) => `${key} ${headers.sequence}`);
    // Again from the checkpoint, which is behind all of them.
    expect([...new Set(items(bus))]).toEqual(items(await readBack()));
  });

  it('is kept only while somebody relays here', async () => {
    await shop.dataSource.transaction((manager) =>
      append(manager, [weight(), { streamId: 'basket/a', expectedVersion: 0, events: [added('x')] }]),
    );
    expect(shop.store.recent.empty).toBe(true);
  });
});
