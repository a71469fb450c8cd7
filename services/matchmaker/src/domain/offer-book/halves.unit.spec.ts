import { nextInt, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { halfBelow, halfOf, limitWord, MOST_HALF, wholeOf, withinLimits } from './halves.ts';
import { FANOUT, PAIRS } from './layout.ts';

const amounts = fc.oneof(
  fc.nat(),
  fc.nat({ max: 600 }),
  fc.maxSafeInteger().map(Math.abs),
  fc.constantFrom(0, -0, 255, 256, 257, 2 ** 24 + 1, Number.MAX_SAFE_INTEGER),
);

describe('a half', () => {
  it('is never smaller for a larger number, and fits into 15 bits', () => {
    fc.assert(
      fc.property(amounts, amounts, (a, b) => {
        const [less, more] = a < b ? [a, b] : [b, a];
        expect(halfOf(less)).toBeLessThanOrEqual(halfOf(more));
        expect(halfBelow(less)).toBeGreaterThanOrEqual(halfBelow(more));
        expect(halfOf(more)).toBeLessThanOrEqual(MOST_HALF);
        expect(halfOf(less)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 2_000 },
    );
  });

  it('tells the number up to 256, and from there on a little more', () => {
    fc.assert(
      fc.property(amounts, (amount) => {
        const told = wholeOf(halfBelow(amount));
        if (amount <= 256) expect(told).toBe(Math.abs(amount));
        expect(told).toBeGreaterThanOrEqual(amount);
        expect(told).toBeLessThanOrEqual(amount * 1.01);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('limits on the entries of a node', () => {
  it('are kept by those of which each half is at or below its limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), fc.constantFrom(4, 8, 12), (seed, columns) => {
        const random = seededRandom(seed);
        const some = (): number =>
          [0, 1, 2, 0x3fff, 0x4000, MOST_HALF - 1, MOST_HALF][nextInt(random, 7)] ?? 0;
        const at = 4 * PAIRS * nextInt(random, 3);
        const words = new Int32Array(at + columns * PAIRS);
        const halves = Array.from({ length: columns }, () => Array.from({ length: FANOUT }, some));
        halves.forEach((column, c) =>
          column.forEach((half, place) => {
            words[at + c * PAIRS + (place % PAIRS)]! |= place < PAIRS ? half : half << 16;
          }),
        );
        const limits = halves.map(some);
        let expected = 0;
        for (let place = 0; place < FANOUT; place += 1) {
          if (halves.every((column, c) => column[place]! <= limits[c]!)) expected |= 1 << place;
        }
        expect(withinLimits(words, at, Int32Array.from(limits, limitWord))).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });
});
