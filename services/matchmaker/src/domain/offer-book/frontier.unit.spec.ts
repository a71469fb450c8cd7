import { nextInt, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Frontier, type Rank } from './frontier.ts';

type One = { readonly key: number; readonly rank: Rank; readonly item: number };

/** Items of the last rank stand for others, by which they are told apart: here the larger comes first. */
const order = (a: One, b: One): number =>
  b.key - a.key || a.rank - b.rank || (a.rank === 2 ? b.item - a.item : a.item - b.item);

describe('what a search has still to look at', () => {
  it('comes out as if it were sorted anew each time, whatever was put in before', () => {
    const frontier = new Frontier();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        frontier.clear((a, b) => a > b);
        const expected: One[] = [];
        let serial = 0;
        for (let step = 0; step < 60; step += 1) {
          if (random.next() < 0.5) {
            for (let count = nextInt(random, 5); count > 0; count -= 1) {
              const key = nextInt(random, 6) / 3 - 1;
              const one = { key, rank: nextInt(random, 3) as Rank, item: (serial += 1 + nextInt(random, 3)) };
              frontier.add(Float64Array.of(one.key), 0, one.rank, one.item);
              expected.push(one);
            }
            frontier.close();
          } else if (expected.length > 0) {
            const first = expected.sort(order).shift()!;
            expect([frontier.key, frontier.rank, frontier.pop()]).toEqual([
              first.key,
              first.rank,
              first.item,
            ]);
          }
          expect(frontier.size === 0).toBe(expected.length === 0);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is kept whole while its memory grows', () => {
    const frontier = new Frontier();
    const before = frontier.room;
    const count = 3 * before;
    const random = seededRandom(1);
    const keys = Float64Array.from({ length: count }, () => random.next());
    for (let item = 0; item < count; item += 1) {
      frontier.add(keys, item, 1, item);
      if (item % 7 === 0) frontier.close();
    }
    frontier.close();
    expect(frontier.room).toBeGreaterThan(count);
    const out: number[] = [];
    while (frontier.size > 0) out.push(frontier.pop());
    expect(out).toEqual([...keys.keys()].sort((a, b) => keys[b]! - keys[a]!));
  });
});
