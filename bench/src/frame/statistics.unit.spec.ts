import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { median, percentile, perSecond, rounded } from './statistics.ts';

describe('percentiles', () => {
  it('are values that were measured, by nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect([0.01, 0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 50, 99, 100]);
    expect(median([3, 1, 2])).toBe(2);
    expect(percentile([7], 0.001)).toBe(7);
  });

  it('have at least their share of the values at or below them, and no smaller value does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 100 }),
        (values, percent) => {
          const found = percentile(values, percent / 100);
          const atMost = (limit: number): number => values.filter((value) => value <= limit).length * 100;
          expect(atMost(found)).toBeGreaterThanOrEqual(percent * values.length);
          const smaller = values.filter((value) => value < found);
          if (smaller.length > 0) expect(atMost(Math.max(...smaller))).toBeLessThan(percent * values.length);
        },
      ),
    );
  });

  it('need values and a share', () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError);
    expect(() => percentile([1], 0)).toThrow(RangeError);
    expect(() => percentile([1], 99)).toThrow(RangeError);
  });
});

describe('figures', () => {
  it('have four digits that count', () => {
    expect(rounded(123_456)).toBe(123_500);
    expect(rounded(0.000_123_456)).toBe(0.000_123_5);
    expect(perSecond(500, 250)).toBe(2_000);
  });
});
