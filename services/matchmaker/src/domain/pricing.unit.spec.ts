import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { exactRate, RATE_SCALE, rateMicrosPerHour, roundedUpRate } from './pricing.ts';

const ofPrices = (prices: fc.Arbitrary<bigint>) =>
  fc.record({ perGpu: prices, perCpuCore: prices, perMemoryGiB: prices, perStorageGiB: prices });
const ofAmounts = (counts: fc.Arbitrary<number>) =>
  fc.record({ gpus: counts, cpuMillis: counts, memoryMiB: counts, storageMiB: counts });

const cases = fc.oneof(
  // Mostly small enough to be exact in floating point.
  fc.tuple(ofPrices(fc.bigInt({ min: 0n, max: 10n ** 6n })), ofAmounts(fc.nat({ max: 10_000 }))),
  // About where it ceases to be.
  fc.tuple(ofPrices(fc.bigInt({ min: 0n, max: 10n ** 8n })), ofAmounts(fc.nat({ max: 100_000 }))),
  fc.tuple(
    ofPrices(fc.bigInt({ min: 0n, max: 2n ** 63n })),
    ofAmounts(fc.oneof(fc.nat({ max: 100 }), fc.maxSafeInteger().map(Math.abs))),
  ),
);

describe('a rate', () => {
  it('is unit prices times what is taken, rounded up once', () => {
    const price = { perGpu: 400_000n, perCpuCore: 1_001n, perMemoryGiB: 139n, perStorageGiB: 14n };
    expect(
      rateMicrosPerHour(price, { gpus: 2, cpuMillis: 4_000, memoryMiB: 8_192, storageMiB: 10_240 }),
    ).toBe(800_000n + 4_004n + 1_112n + 140n);
    expect(rateMicrosPerHour(price, { gpus: 0, cpuMillis: 1, memoryMiB: 1, storageMiB: 1 })).toBe(2n);
    expect(rateMicrosPerHour(price, { gpus: 0, cpuMillis: 0, memoryMiB: 0, storageMiB: 0 })).toBe(0n);
  });

  it('is the exact sum rounded up, however large', () => {
    let quick = 0;
    fc.assert(
      fc.property(cases, ([asked, amounts]) => {
        const exact = exactRate(asked, amounts);
        const expected = exact / RATE_SCALE + (exact % RATE_SCALE === 0n ? 0n : 1n);
        expect(rateMicrosPerHour(asked, amounts)).toBe(expected);
        const { perGpu, perCpuCore, perMemoryGiB, perStorageGiB } = asked;
        const nearest = [perGpu, perCpuCore, perMemoryGiB, perStorageGiB].map(Number) as [
          number,
          number,
          number,
          number,
        ];
        const found = roundedUpRate(...nearest, amounts);
        if (found === null) return;
        expect(found).toBe(expected);
        quick += 1;
      }),
      { numRuns: 3_000 },
    );
    expect(quick).toBeGreaterThan(200);
  });

  it('is rounded up from the smallest part on', () => {
    const free = { perGpu: 0n, perCpuCore: 0n, perMemoryGiB: 0n };
    const ofStorage = (storageMiB: number): bigint =>
      rateMicrosPerHour({ ...free, perStorageGiB: 1n }, { gpus: 0, cpuMillis: 0, memoryMiB: 0, storageMiB });
    expect([0, 1, 1_023, 1_024, 1_025].map(ofStorage)).toEqual([0n, 1n, 1n, 1n, 2n]);
  });
});
