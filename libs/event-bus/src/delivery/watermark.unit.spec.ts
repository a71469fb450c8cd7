import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Watermark } from './watermark.ts';

describe('the watermark of a partition', () => {
  it('is the first taken offset that is not settled, whatever the gaps and the order of settling', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(5_000), { minLength: 1, maxLength: 60 }),
        fc.func(fc.integer()),
        (numbers, rank) => {
          const offsets = [...numbers].sort((a, b) => a - b);
          const mark = new Watermark(0);
          for (const offset of offsets) mark.take(offset);
          expect(mark.committable).toBe(offsets[0]);
          const open = new Set(offsets);
          const order = [...offsets].sort((a, b) => rank(a) - rank(b));
          for (const offset of order) {
            mark.settle(offset);
            open.delete(offset);
            expect(mark.committable).toBe(open.size > 0 ? Math.min(...open) : offsets.at(-1)! + 1);
            expect(mark.open).toBe(open.size);
          }
          expect(mark.span).toBe(0);
        },
      ),
    );
  });

  it('forgets what is settled: it does not grow with the partition', () => {
    const mark = new Watermark(0);
    for (let offset = 0; offset < 20_000; offset += 1) {
      mark.take(offset);
      mark.settle(offset);
    }
    expect(mark.span).toBe(0);
    expect(JSON.stringify(mark).length).toBeLessThan(12_000);
  });

  it('does not take an offset twice', () => {
    const mark = new Watermark(10);
    expect(() => mark.take(9)).toThrow('has been taken');
    mark.take(12);
    expect(mark.nextOffset).toBe(13);
    expect(() => mark.take(12)).toThrow('has been taken');
  });
});
