import { describe, expect, it } from '@jest/globals';
import { Batcher } from './batcher.ts';
import { Hands } from './hands.ts';
import { Slots } from './signal.ts';

/** A lane with these records ready. @returns whether they were handled together */
const submit = (batcher: Batcher, records: readonly string[], stopped?: AbortSignal): Promise<boolean> =>
  new Promise((done) =>
    batcher.submit({ take: (most) => (stopped?.aborted ? [] : records.slice(0, most)), done }),
  );

describe('the batcher', () => {
  const batcher = (handle: (records: readonly string[]) => Promise<void>, concurrency = 2): Batcher =>
    new Batcher({ prepare: (delivery) => delivery, handle }, new Slots(concurrency), concurrency);

  it('puts together what is ready in one turn, with the order of each key', async () => {
    const batches: (readonly string[])[] = [];
    const under = batcher((records) => Promise.resolve(void batches.push(records)));
    const done = await Promise.all([submit(under, ['a1', 'a2']), submit(under, ['b1'])]);
    expect(done).toEqual([true, true]);
    expect(batches).toEqual([['a1', 'a2', 'b1']]);
  });

  it('takes with a lane what came to it while it waited', async () => {
    const batches: (readonly string[])[] = [];
    const under = batcher((records) => Promise.resolve(void batches.push(records)));
    const lane = ['a1'];
    const done = submit(under, lane);
    lane.push('a2');
    expect(await done).toBe(true);
    expect(batches).toEqual([['a1', 'a2']]);
  });

  it('sends a record that has no company back to go alone', async () => {
    const under = batcher(() => Promise.reject(new Error('must not be called')));
    expect(await submit(under, ['a1'])).toBe(false);
  });

  it('says of a batch that failed that none of it is handled', async () => {
    const under = batcher(() => Promise.reject(new Error('poison')));
    expect(await Promise.all([submit(under, ['a1']), submit(under, ['b1'])])).toEqual([false, false]);
  });

  it('finds the one that fails by halves: the others share a few transactions', async () => {
    let calls = 0;
    const under = batcher((records) => {
      calls += 1;
      return records.includes('k50') ? Promise.reject(new Error('poison')) : Promise.resolve();
    });
    const done = await Promise.all(Array.from({ length: 100 }, (_, n) => submit(under, [`k${n}`])));
    expect(done.filter((handled) => !handled)).toHaveLength(1);
    expect(done[50]).toBe(false);
    expect(calls).toBeLessThanOrEqual(14);
  });

  it('gives up on a batch of which everything fails', async () => {
    let calls = 0;
    const under = batcher(() => {
      calls += 1;
      return Promise.reject(new Error('the database is away'));
    });
    const done = await Promise.all(Array.from({ length: 400 }, (_, n) => submit(under, [`k${n}`])));
    expect(done).toEqual(new Array(400).fill(false));
    expect(calls).toBeLessThanOrEqual(30);
  });

  it('leaves out what was stopped while it waited', async () => {
    const batches: (readonly string[])[] = [];
    const under = batcher((records) => Promise.resolve(void batches.push(records)));
    const stopped = new AbortController();
    const waiting = [submit(under, ['a1'], stopped.signal), submit(under, ['b1']), submit(under, ['c1'])];
    stopped.abort();
    expect(await Promise.all(waiting)).toEqual([false, true, true]);
    expect(batches).toEqual([['b1', 'c1']]);
  });

  it('handles all of many, with at most 500 in a batch, 50 of one lane, and no more batches than slots', async () => {
    let running = 0;
    let most = 0;
    let handled = 0;
    const under = batcher(async (records) => {
      running += 1;
      most = Math.max(most, running);
      expect(records.length).toBeLessThanOrEqual(500);
      expect(records.filter((record) => record === 'long').length).toBeLessThanOrEqual(50);
      await new Promise((resolve) => setImmediate(resolve));
      handled += records.length;
      running -= 1;
    });
    const lanes = Array.from({ length: 1_001 }, (_, n) => [`k${n}`]);
    await Promise.all([new Array<string>(80).fill('long'), ...lanes].map((lane) => submit(under, lane)));
    expect(handled).toBeGreaterThanOrEqual(1_050);
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
