import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { nextInt, seededRandom, shuffled } from './random.ts';

describe('chance', () => {
  it('is the same again for the same seed', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 1_000 }), (seed, bound) => {
        const [a, b] = [seededRandom(seed), seededRandom(seed)];
        for (let i = 0; i < 20; i += 1) {
          const drawn = nextInt(a, bound);
          expect(drawn).toBe(nextInt(b, bound));
          expect(drawn >= 0 && drawn < bound).toBe(true);
        }
      }),
    );
  });

  it('shuffles: every item once, whatever was there, and the given list stays as it was', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.integer()), (seed, items) => {
        const before = [...items];
        const order = shuffled(seededRandom(seed), items);
        expect(items).toEqual(before);
        expect([...order].sort((x, y) => x - y)).toEqual([...items].sort((x, y) => x - y));
      }),
    );
  });

  it('puts each item into each place equally often', () => {
    const random = seededRandom(7);
    const counts = [0, 1, 2, 3].map(() => [0, 0, 0, 0]);
    for (let i = 0; i < 8_000; i += 1) {
      for (const [place, item] of shuffled(random, [0, 1, 2, 3]).entries()) counts[item]![place]! += 1;
    }
    for (const count of counts.flat()) expect(Math.abs(count - 2_000)).toBeLessThan(200);
  });
});
