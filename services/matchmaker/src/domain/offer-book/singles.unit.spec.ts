import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { notAbove } from './singles.ts';

describe('a number rounded for the columns', () => {
  it('is the largest single that is not above it', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.double({ noNaN: true, min: -(2 ** 120), max: 2 ** 120 }),
          fc.maxSafeInteger(),
          fc.constantFrom(0, -0, 1e-60, -1e-60, Infinity, -Infinity),
        ),
        (value) => {
          const rounded = notAbove(value);
          expect(Math.fround(rounded)).toBe(rounded);
          expect(rounded).toBeLessThanOrEqual(value);
          // Whatever single lies between the two is the rounded one.
          const between = Math.fround(rounded / 2 + value / 2);
          if (Number.isFinite(value) && between <= value) expect(between).toBeLessThanOrEqual(rounded);
          expect(notAbove(rounded)).toBe(rounded);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
