import { describe, expect, it } from '@jest/globals';
import { amountOf, formatAmount, parseQuantity } from './quantity.ts';

describe('quantities', () => {
  it('are read in every notation', () => {
    expect(['500m', '2', '1e3', '2Gi', '1.5k', '.5', '2E'].map(parseQuantity)).toEqual([
      0.5,
      2,
      1_000,
      2 ** 31,
      1_500,
      0.5,
      2e18,
    ]);
    expect(['', 'x', '1 Gi', '1GB', '--1'].map(parseQuantity)).toEqual([NaN, NaN, NaN, NaN, NaN]);
  });

  it('become whole amounts: cpu in thousandths, the rest in pieces and bytes', () => {
    expect([
      amountOf('cpu', '0.1'),
      amountOf('requests.cpu', '1500m'),
      amountOf('memory', '1Ki'),
      amountOf('nvidia.com/gpu', '8'),
    ]).toEqual([100, 1_500, 1_024, 8]);
  });

  it('are written as the API writes them', () => {
    expect([
      formatAmount('cpu', 1_500),
      formatAmount('cpu', 2_000),
      formatAmount('memory', 3 * 2 ** 30),
      formatAmount('pods', 4),
    ]).toEqual(['1500m', '2', '3Gi', '4']);
  });
});
