import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { grouped, type Positions } from './grouping.ts';
import { SPREAD } from './layout.ts';

const positionsOf = (points: readonly number[][]): Positions =>
  SPREAD.map((_, direction) => Float32Array.from(points, (point) => point[direction] ?? 0));

describe('grouping what lies together', () => {
  it('loses nothing and doubles nothing, in groups whose sizes differ by one at most', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 5, maxLength: 5 }), { minLength: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (points, share) => {
          const count = 1 + Math.floor(share * (points.length - 1));
          const items = points.map((_, item) => item);
          const groups = grouped(items, count, positionsOf(points));
          expect(groups).toHaveLength(count);
          expect(groups.flat().sort((a, b) => a - b)).toEqual(items);
          const sizes = groups.map(({ length }) => length);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it('keeps two heaps apart, whichever direction tells them apart', () => {
    for (let direction = 0; direction < SPREAD.length; direction += 1) {
      const points = Array.from({ length: 40 }, (_, item) =>
        SPREAD.map((__, other) => (other === direction ? (item % 2) * 100 : (item % 7) / 100)),
      );
      const [left, right] = grouped(
        points.map((_, item) => item),
        2,
        positionsOf(points),
      );
      expect(new Set(left!.map((item) => item % 2)).size).toBe(1);
      expect(new Set(right!.map((item) => item % 2)).size).toBe(1);
    }
  });
});
