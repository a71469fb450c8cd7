import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { fold } from '@gridbourse/kernel';
import { renderMetrics, serviceMeter } from '@gridbourse/observability';
import fc from 'fast-check';
import { z } from 'zod';
import { added, note, openShop, paid, range, type Shop, type ShopEvent } from '../test/shop.ts';
import { StreamSnapshots } from './index.ts';

type Basket = { readonly items: readonly string[]; readonly totalMicros: bigint; readonly notes: number };

const micros = z.codec(z.string(), z.bigint(), { decode: BigInt, encode: String });
const schema = z.object({ items: z.array(z.string()), totalMicros: micros, notes: z.int() });
const initial: Basket = { items: [], totalMicros: 0n, notes: 0 };

const evolve = (basket: Basket, event: ShopEvent): Basket => {
  switch (event.type) {
    case 'ItemAdded':
      return {
        ...basket,
        items: [...basket.items, event.item],
        totalMicros: basket.totalMicros + event.priceMicros,
      };
    case 'BasketPaid':
      return { ...basket, totalMicros: basket.totalMicros - event.totalMicros };
    default:
      return { ...basket, notes: basket.notes + 1 };
  }
};

/** Generous: other suites run beside this one. */
jest.setTimeout(60_000);

let shop: Shop;
let streams = 0;
const newStream = (): string => `basket/s${(streams += 1)}`;

beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

const snapshotsOf = (
  more: { name?: string; version?: number; every?: number } = {},
): StreamSnapshots<Basket, ShopEvent> =>
  new StreamSnapshots({
    ...{ store: shop.store, initial, evolve, schema, name: 'shop.basket', version: 1, every: 5 },
    ...more,
  });

const append = (streamId: string, expectedVersion: number, events: readonly ShopEvent[]): Promise<void> =>
  shop.dataSource.transaction((manager) =>
    shop.store.append(manager, [{ streamId, expectedVersion, events }]),
  );
const kept = async (streamId: string): Promise<{ version: number; state_version: number } | undefined> =>
  (
    await shop.dataSource.query<{ version: number; state_version: number }[]>(
      'SELECT version::int AS version, state_version FROM stream_snapshots WHERE stream_id = $1',
      [streamId],
    )
  )[0];

const basketEvent: fc.Arbitrary<ShopEvent> = fc.oneof(
  fc
    .record({ item: fc.string({ unit: 'grapheme-ascii', maxLength: 8 }), price: fc.bigInt(0n, 10n ** 15n) })
    .map(({ item, price }) => added(item, price)),
  fc.bigInt(0n, 10n ** 15n).map(paid),
  fc.constant(note('n')),
);

type Step =
  | { do: 'append'; events: ShopEvent[] }
  | { do: 'save' }
  | { do: 'spoil'; how: 'garble' | 'rename' | 'reversion' | 'displace' | 'delete' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .array(basketEvent, { minLength: 1, maxLength: 7 })
      .map((events): Step => ({ do: 'append', events })),
  },
  { weight: 3, arbitrary: fc.constant<Step>({ do: 'save' }) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('garble', 'rename', 'reversion', 'displace', 'delete')
      .map((how): Step => ({ do: 'spoil', how: how as 'garble' })),
  },
);

const SPOIL = {
  garble: `UPDATE stream_snapshots SET state = '{"items": 7}' WHERE stream_id = $1`,
  rename: `UPDATE stream_snapshots SET state_name = 'another', state = '{}' WHERE stream_id = $1`,
  reversion: `UPDATE stream_snapshots SET state_version = 9, state = '{}' WHERE stream_id = $1`,
  displace: `UPDATE stream_snapshots SET position = position + 1000000, version = version + 3 WHERE stream_id = $1`,
  delete: `DELETE FROM stream_snapshots WHERE stream_id = $1`,
};

describe('stream snapshots', () => {
  it('and the events behind them give the state that all events give, whatever became of the snapshots', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        const streamId = newStream();
        const snapshots = snapshotsOf();
        const all: ShopEvent[] = [];
        for (const one of steps) {
          if (one.do === 'append') {
            await append(streamId, all.length, one.events);
            all.push(...one.events);
          } else if (one.do === 'save') {
            const folded = await snapshots.load(shop.dataSource.manager, streamId);
            await snapshots.save(shop.dataSource.manager, folded);
            expect((await kept(streamId))?.version ?? 0).toBe(all.length);
          } else await shop.dataSource.query(SPOIL[one.how], [streamId]);
          const { version, state } = await snapshots.load(shop.dataSource.manager, streamId);
          expect({ version, state }).toEqual({ version: all.length, state: fold(evolve, initial, all) });
        }
      }),
      { numRuns: 40 },
    );
  });

  it('are really used: what they hold is not read again', async () => {
    const streamId = newStream();
    await append(
      streamId,
      0,
      range(6).map((n) => added(`${n}`)),
    );
    const snapshots = snapshotsOf();
    const before = await snapshots.load(shop.dataSource.manager, streamId);
    expect(before.snapshotVersion).toBe(0);
    await snapshots.save(shop.dataSource.manager, before);
    await append(streamId, 6, [added('7')]);
    await shop.dataSource.query('UPDATE events SET data = $2 WHERE stream_id = $1 AND version <= 6', [
      streamId,
      '{}',
    ]);
    const after = await snapshots.load(shop.dataSource.manager, streamId);
    expect(after).toMatchObject({ version: 7, snapshotVersion: 6, state: { items: range(7).map(String) } });
  });

  it('are due every so many events', async () => {
    const streamId = newStream();
    const snapshots = snapshotsOf({ every: 3 });
    const saved: number[] = [];
    for (const n of range(10)) {
      await append(streamId, n - 1, [added(`${n}`)]);
      const folded = await snapshots.load(shop.dataSource.manager, streamId);
      if (await snapshots.saveIfDue(shop.dataSource.manager, folded)) saved.push(n);
    }
    expect(saved).toEqual([3, 6, 9]);
    expect(await kept(streamId)).toEqual({ version: 9, state_version: 1 });
  });

  it('never go back, but give way to another form, and are not kept for events that are not there', async () => {
    const streamId = newStream();
    await append(
      streamId,
      0,
      range(4).map((n) => added(`${n}`)),
    );
    const manager = shop.dataSource.manager;
    const folded = await snapshotsOf().load(manager, streamId);
    await snapshotsOf().save(manager, folded);
    await snapshotsOf().save(manager, { ...folded, version: 2 });
    expect(await kept(streamId)).toEqual({ version: 4, state_version: 1 });
    await snapshotsOf({ version: 2 }).save(manager, { ...folded, version: 3 });
    expect(await kept(streamId)).toEqual({ version: 3, state_version: 2 });
    await snapshotsOf({ version: 2 }).save(manager, { ...folded, version: 5 });
    expect(await kept(streamId)).toEqual({ version: 3, state_version: 2 });
  });

  it('tell how often they were of use', async () => {
    const name = `snapshots-${process.pid}`;
    const snapshots = new StreamSnapshots({
      ...{ store: shop.store, initial, evolve, schema, name: 'shop.basket', version: 1 },
      meter: serviceMeter(name),
    });
    const streamId = newStream();
    await append(streamId, 0, [added('a')]);
    await snapshots.save(shop.dataSource.manager, await snapshots.load(shop.dataSource.manager, streamId));
    await snapshots.load(shop.dataSource.manager, streamId);
    await shop.dataSource.query(SPOIL.garble, [streamId]);
    await snapshots.load(shop.dataSource.manager, streamId);
    const text = await renderMetrics(name);
    for (const outcome of ['none', 'used', 'unreadable']) {
      expect(text).toMatch(
        new RegExp(`event_store_snapshot_loads_total\\{[^}]*outcome="${outcome}"[^}]*\\} 1\\b`),
      );
    }
  });
});
