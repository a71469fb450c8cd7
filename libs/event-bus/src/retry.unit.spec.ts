import { describe, expect, it } from '@jest/globals';
import { defaultRetryBudget, delayAfter } from './retry.ts';

describe('the default retry budget', () => {
  it('is 8 tries over about half a minute, starting quickly', () => {
    const pauses = [1, 2, 3, 4, 5, 6, 7].map((attempt) => delayAfter(defaultRetryBudget, attempt));
    expect(pauses).toEqual([80, 200, 500, 1250, 3125, 7813, 19531]);
    expect(defaultRetryBudget.attempts).toBe(8);
  });
});
