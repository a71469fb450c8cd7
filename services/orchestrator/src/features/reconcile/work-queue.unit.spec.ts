import { describe, expect, it } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { WorkQueue } from './work-queue.ts';

const gate = (): { promise: Promise<void>; open: () => void } => {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, open: resolve };
};

describe('the work queue', () => {
  it('works on a key once at a time, and once more for all that was added meanwhile', async () => {
    const first = gate();
    const runs: string[] = [];
    const queue = new WorkQueue<string>({
      concurrency: 4,
      work: async (key) => {
        runs.push(key);
        if (runs.length === 1) await first.promise;
        return null;
      },
    });
    queue.add('a');
    queue.add('a');
    queue.add('a');
    queue.add('b');
    await eventually(() => runs.length === 2);
    expect(runs).toEqual(['a', 'b']);
    first.open();
    await eventually(() => runs.length === 3);
    await queue.stop();
    expect(runs).toEqual(['a', 'b', 'a']);
  });

  it('never has more in hand than it may', async () => {
    const gates = [gate(), gate(), gate()];
    let active = 0;
    let most = 0;
    let done = 0;
    const queue = new WorkQueue<number>({
      concurrency: 2,
      work: async (key) => {
        active += 1;
        most = Math.max(most, active);
        await gates[key]!.promise;
        active -= 1;
        done += 1;
        return null;
      },
    });
    for (const key of [0, 1, 2]) queue.add(key);
    for (const each of gates) each.open();
    await eventually(() => done === 3);
    expect(most).toBe(2);
  });

  it('keeps appointments, and an earlier one stands', async () => {
    let runs = 0;
    const queue = new WorkQueue<string>({
      concurrency: 1,
      work: () => {
        runs += 1;
        return Promise.resolve(runs < 3 ? 1 : null);
      },
    });
    queue.add('a', 5);
    queue.add('a', 3_600_000);
    await eventually(() => runs === 3);
    await queue.stop();
    queue.add('a');
    expect(runs).toBe(3);
  });
});
