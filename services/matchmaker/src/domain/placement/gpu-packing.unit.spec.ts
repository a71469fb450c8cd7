import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { pricesByColumns } from './column-program.ts';
import { type Pieces, priceGpuPacking } from './gpu-packing.ts';

const anywhere = Uint8Array.of(1);

/** The most that can be filled, by trying everything. */
const bestFilling = (pieces: readonly Pieces[], gpusOfModel: readonly number[]): number => {
  const gpus = gpusOfModel.flatMap((count, model) => Array.from({ length: count }, () => model));
  const items = pieces.flatMap(({ size, count, allowed }) =>
    Array.from({ length: count }, () => ({ size, allowed })),
  );
  const free = gpus.map(() => 1_000);
  const fill = (at: number): number => {
    const item = items[at];
    if (!item) return 0;
    let best = fill(at + 1);
    const tried = new Set<string>();
    gpus.forEach((model, gpu) => {
      const key = `${model}/${free[gpu]}`;
      if (free[gpu]! < item.size || item.allowed[model] === 0 || tried.has(key)) return;
      tried.add(key);
      free[gpu]! -= item.size;
      best = Math.max(best, item.size + fill(at + 1));
      free[gpu]! += item.size;
    });
    return best;
  };
  return fill(0);
};

describe('prices of GPU packing', () => {
  it('bound from above what the best packing fills, and never by more than what has arrived', () => {
    const piece = fc.record({
      size: fc.constantFrom(110, 250, 333, 470, 500, 650, 810, 1_000),
      count: fc.integer({ min: 1, max: 3 }),
      allowed: fc.constantFrom(Uint8Array.of(1, 1), Uint8Array.of(1, 0), Uint8Array.of(0, 1)),
    });
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 0, max: 2 }),
        fc.integer({ min: 0, max: 2 }),
        (pieces, a, b) => {
          const { bound } = priceGpuPacking(pieces, [a, b]);
          const asked = pieces.reduce((sum, { size, count }) => sum + size * count, 0);
          expect(bound).toBeGreaterThanOrEqual(bestFilling(pieces, [a, b]) - 1e-6);
          expect(bound).toBeLessThanOrEqual(Math.min(asked, 1_000 * (a + b)) + 1e-6);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('are exact where halves and thirds fit', () => {
    const pieces = [
      { size: 500, count: 10, allowed: anywhere },
      { size: 250, count: 8, allowed: anywhere },
    ];
    expect(priceGpuPacking(pieces, [7]).bound).toBeCloseTo(7_000, 6);
    expect(priceGpuPacking(pieces, [5]).bound).toBeCloseTo(5_000, 6);
  });

  it('say that the rest beside a large piece is worth only what scarce small ones leave of it', () => {
    const { bound, fillWorth } = priceGpuPacking(
      [
        { size: 810, count: 90, allowed: anywhere },
        { size: 160, count: 10, allowed: anywhere },
      ],
      [50],
    );
    // 50 GPUs with an 810 each, and the ten small pieces beside ten of them.
    expect(bound).toBeCloseTo(50 * 810 + 10 * 160, 6);
    expect(fillWorth[0]![190]).toBeCloseTo(0, 6);
    expect(fillWorth[0]![1_000]).toBeCloseTo(810, 6);
  });

  it('give nothing for models that nothing may use', () => {
    const { bound, fillWorth } = priceGpuPacking(
      [{ size: 1_000, count: 5, allowed: Uint8Array.of(1, 0) }],
      [2, 9],
    );
    expect(bound).toBeCloseTo(2_000, 6);
    expect(fillWorth[1]!.every((worth) => worth === 0)).toBe(true);
  });

  it('never lose worth when more is free', () => {
    const { fillWorth } = priceGpuPacking(
      [470, 320, 230, 810].map((size) => ({ size, count: 100, allowed: anywhere })),
      [120],
    );
    fillWorth[0]!.forEach((worth, free, all) =>
      expect(worth).toBeGreaterThanOrEqual(free === 0 ? 0 : all[free - 1]!),
    );
  });
});

describe('a program by columns', () => {
  it('finds the prices of a program that is solved by hand', () => {
    // max 3x + 2y with x + y <= 4 and x + 3y <= 6: x = 4, priced 3 and 0.
    const columns = [
      { gain: 3, uses: Float64Array.of(1, 1) },
      { gain: 2, uses: Float64Array.of(1, 3) },
    ];
    const source = (prices: Float64Array) =>
      columns.find(({ gain, uses }) => gain - uses[0]! * prices[0]! - uses[1]! * prices[1]! > 1e-9) ?? null;
    const prices = pricesByColumns([4, 6], source, 100);
    expect(prices[0]).toBeCloseTo(3, 9);
    expect(prices[1]).toBeCloseTo(0, 9);
  });

  it('refuses negative limits', () => {
    expect(() => pricesByColumns([-1], () => null, 10)).toThrow(
      expect.objectContaining({ code: 'negative_limit' }),
    );
  });
});
