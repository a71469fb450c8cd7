import { seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Backoff } from './backoff.ts';

describe('the backoff', () => {
  it('grows to its limit, never waits nothing, and starts anew', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const backoff = new Backoff(seededRandom(seed), 10_000);
        const waits = Array.from({ length: 40 }, () => backoff.nextMs());
        expect(waits[0]).toBeLessThanOrEqual(200);
        expect(Math.min(...waits)).toBeGreaterThanOrEqual(50);
        expect(Math.max(...waits)).toBeLessThanOrEqual(10_000);
        expect(waits[39]).toBeGreaterThanOrEqual(2_500);
        backoff.reset();
        expect(backoff.nextMs()).toBeLessThanOrEqual(200);
      }),
    );
  });
});
