import { parseUsdc } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { askMicros, planBids } from './bids.ts';

const auction = (list: bigint, most: bigint, placed: bigint | null = null) => ({
  orderId: 'ord_1',
  groups: [
    {
      group: 'main',
      maxRate: { micros: most },
      offers: [
        {
          offerId: 'off_1',
          listRate: { micros: list },
          bid: placed === null ? null : { rate: { micros: placed } },
        },
      ],
    },
  ],
});

describe('bids by the discount', () => {
  it('ask the list price less the discount', () => {
    expect(planBids([auction(1_000_000n, 2_000_000n)], 10)).toEqual([
      { orderId: 'ord_1', group: 'main', offerId: 'off_1', rateUsdcPerHour: '0.90' },
    ]);
  });

  it('are placed once, and placed anew when the policy asks something else', () => {
    expect(planBids([auction(1_000_000n, 2_000_000n, 900_000n)], 10)).toEqual([]);
    expect(planBids([auction(1_000_000n, 2_000_000n, 950_000n)], 10)).toHaveLength(1);
  });

  it('are not placed where the order pays less, nor where the list price stands for no more', () => {
    expect(planBids([auction(1_000_000n, 899_999n)], 10)).toEqual([]);
    expect(planBids([auction(1_000_000n, 900_000n)], 10)).toHaveLength(1);
    expect(planBids([auction(1_000_000n, 2_000_000n)], 0)).toEqual([]);
    expect(planBids([auction(1n, 2n), auction(0n, 2n)], 10)).toEqual([]);
  });

  it('never ask less than the share that the discount leaves, and name the amount exactly', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 12n), fc.integer({ min: 0, max: 90 }), (list, percent) => {
        const ask = askMicros(list, percent);
        expect(ask * 100n).toBeGreaterThanOrEqual(list * BigInt(100 - percent));
        expect((ask - 1n) * 100n).toBeLessThan(list * BigInt(100 - percent));
        for (const bid of planBids([auction(list, list)], percent)) {
          expect(parseUsdc(bid.rateUsdcPerHour)).toBe(ask);
        }
      }),
    );
  });
});
