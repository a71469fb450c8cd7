import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DeadlineQueue } from './deadline-queue.ts';

const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const instant = fc.integer({ min: 0, max: 8 });
/** Mostly moves, so that the queue has to be cleared of what no longer counts. */
const step = fc.oneof(
  { weight: 9, arbitrary: fc.record({ set: id, at: fc.option(instant) }) },
  { weight: 1, arbitrary: fc.record({ before: instant, atMost: fc.integer({ min: 1, max: 4 }) }) },
);

describe('a queue of deadlines', () => {
  it('tells what looking at all of them tells', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 500, size: 'max' }), (steps) => {
        const queue = new DeadlineQueue();
        const all = new Map<string, number>();
        for (const next of steps) {
          if ('set' in next) {
            queue.set(next.set, next.at);
            if (next.at === null) all.delete(next.set);
            else all.set(next.set, next.at);
            continue;
          }
          const due = [...all]
            .filter(([, at]) => at < next.before)
            .sort(([a, at], [b, bt]) => at - bt || (a < b ? -1 : 1))
            .map(([name]) => name);
          expect(queue.anyBefore(next.before)).toBe(due.length > 0);
          const told = queue.before(next.before, next.atMost);
          expect(told).toEqual(due.slice(0, told.length));
          // What moved there and back may count twice towards the bound, so that fewer are told; never none.
          expect(told.length).toBeLessThanOrEqual(next.atMost);
          expect(told.length > 0).toBe(due.length > 0);
        }
      }),
    );
  });
});
