import { ManualClock } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { HotTelemetry } from './hot-telemetry.ts';
import { MemoryKeyValue } from './memory/memory-key-value.ts';

const schema = z.object({ watts: z.number() });
const clock = new ManualClock(0);
const store = new MemoryKeyValue({ clock });
const newTelemetry = (scope: string) => new HotTelemetry(store, { scope, schema, ttlMs: 1_000 });

describe('hot telemetry', () => {
  it('is the newest of what was put, whatever the order and the batches', async () => {
    let run = 0;
    const observations = fc.array(
      fc.record({
        id: fc.constantFrom('a', 'b', 'c'),
        atMs: fc.integer({ min: 0, max: 20 }),
        value: fc.record({ watts: fc.integer() }),
      }),
      { maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(observations, fc.integer({ min: 1, max: 7 }), async (all, size) => {
        const telemetry = newTelemetry(`run-${(run += 1)}`);
        for (let from = 0; from < all.length; from += size) await telemetry.put(all.slice(from, from + size));
        const known = await telemetry.get(['a', 'b', 'c']);
        for (const id of ['a', 'b', 'c']) {
          const of = all.filter((one) => one.id === id);
          const newestMs = Math.max(...of.map(({ atMs }) => atMs));
          const first = of.find(({ atMs }) => atMs === newestMs);
          expect(known.get(id)).toEqual(first);
        }
      }),
    );
  });

  it('takes any number at once, and counts what was new', async () => {
    const telemetry = newTelemetry('many');
    const all = Array.from({ length: 2_500 }, (_, n) => ({ id: `p${n}`, atMs: 7, value: { watts: n } }));
    expect(await telemetry.put(all)).toBe(2_500);
    expect(await telemetry.put(all)).toBe(0);
    const known = await telemetry.get(all.map(({ id }) => id));
    expect(known.size).toBe(2_500);
    expect(known.get('p2499')).toEqual({ id: 'p2499', atMs: 7, value: { watts: 2_499 } });
  });

  it.each(['not json', '{"watts":"many"}', 'null'])('leaves out what it cannot read: %s', async (value) => {
    const telemetry = newTelemetry('other-version');
    await store.putLatest([{ key: 'other-version/a', atMs: 1, value }], 1_000);
    expect(await telemetry.get(['a', 'unknown'])).toEqual(new Map());
    clock.advance(1_000);
  });

  it('is forgotten in time', async () => {
    const telemetry = newTelemetry('short');
    await telemetry.put([{ id: 'a', atMs: 1, value: { watts: 1 } }]);
    clock.advance(1_000);
    expect((await telemetry.get(['a'])).size).toBe(0);
  });
});
