import { describe, expect, it } from '@jest/globals';
import type { Delivery } from '../port.ts';
import { Batcher } from './batcher.ts';
import { Hands } from './hands.ts';
import { Slots } from './signal.ts';

const delivery = (key: string, sequence: number): Delivery => ({ key, sequence }) as Delivery;
const names = (batch: readonly Delivery[]): string[] => batch.map(({ key, sequence }) => `${key}${sequence}`);

describe('the batcher', () => {
  const batcher = (handle: (deliveries: readonly Delivery[]) => Promise<void>, concurrency = 2): Batcher =>
    new Batcher({ accepts: () => true, handle }, new Slots(concurrency), concurrency);
  const never = new AbortController().signal;

  it('puts together what is ready in one turn, with the order of each key', async () => {
    const batches: string[][] = [];
    const under = batcher((deliveries) => Promise.resolve(void batches.push(names(deliveries))));
    const done = await Promise.all([
      under.submit([delivery('a', 1), delivery('a', 2)], never),
      under.submit([delivery('b', 1)], never),
    ]);
    expect(done).toEqual([true, true]);
    expect(batches).toEqual([['a1', 'a2', 'b1']]);
  });

  it('sends a record that has no company back to go alone', async () => {
    const under = batcher(() => Promise.reject(new Error('must not be called')));
    expect(await under.submit([delivery('a', 1)], never)).toBe(false);
  });

  it('says of a batch that failed that none of it is handled', async () => {
    const under = batcher(() => Promise.reject(new Error('poison')));
    const done = await Promise.all([
      under.submit([delivery('a', 1)], never),
      under.submit([delivery('b', 1)], never),
    ]);
    expect(done).toEqual([false, false]);
  });

  it('leaves out what was stopped while it waited', async () => {
    const batches: string[][] = [];
    const under = batcher((deliveries) => Promise.resolve(void batches.push(names(deliveries))));
    const stopped = new AbortController();
    const waiting = [
      under.submit([delivery('a', 1)], stopped.signal),
      under.submit([delivery('b', 1)], never),
      under.submit([delivery('c', 1)], never),
    ];
    stopped.abort();
    expect(await Promise.all(waiting)).toEqual([false, true, true]);
    expect(batches).toEqual([['b1', 'c1']]);
  });

  it('handles all of many, with at most 500 in a batch and no more batches than slots', async () => {
    let running = 0;
    let most = 0;
    let handled = 0;
    const under = batcher(async (deliveries) => {
      running += 1;
      most = Math.max(most, running);
      expect(deliveries.length).toBeLessThanOrEqual(500);
      await new Promise((resolve) => setImmediate(resolve));
      handled += deliveries.length;
      running -= 1;
    });
    const keys = Array.from({ length: 1_001 }, (_, n) => `k${n}`);
    await Promise.all(keys.map((key) => under.submit([delivery(key, 1)], never)));
    expect(handled).toBeGreaterThanOrEqual(1_000);
    expect(most).toBeLessThanOrEqual(2);
  });
});

describe('hands', () => {
  it('hold back what has not begun, and say when what had begun is done', async () => {
    const hands = new Hands();
    const first = Promise.withResolvers<void>();
    const log: string[] = [];
    const begun = hands.use(async () => {
      await first.promise;
      log.push('first');
    });
    const idle = hands.hold().then(() => log.push('idle'));
    const later = hands.use(() => Promise.resolve(log.push('second')));
    first.resolve();
    await Promise.all([begun, idle]);
    expect(log).toEqual(['first', 'idle']);
    hands.release();
    await later;
    expect(log).toEqual(['first', 'idle', 'second']);
  });
});
