import { seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { challengeKind, eraOf, nextChallengeDelayMs } from './challenges.ts';

const SEED = 20_261_124;

describe('challenges', () => {
  it('come at random moments with the mean that was asked for', () => {
    const random = seededRandom(SEED);
    const delays = Array.from({ length: 20_000 }, () => nextChallengeDelayMs(random, 60_000));
    const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
    expect(mean).toBeGreaterThan(58_000);
    expect(mean).toBeLessThan(62_000);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(1);
    // Memoryless: of those that waited a mean already, as many wait another mean as of all.
    const share = (list: number[], beyond: number): number =>
      list.filter((delay) => delay > beyond).length / list.length;
    const waited = delays.filter((delay) => delay > 60_000);
    expect(Math.abs(share(waited, 120_000) - share(delays, 60_000))).toBeLessThan(0.03);
  });

  it('ask GPU providers about GPUs four times out of five, others never', () => {
    const random = seededRandom(SEED);
    const kinds = Array.from({ length: 10_000 }, () => challengeKind(random, true, 0.8));
    const gpus = kinds.filter((kind) => kind === 'gpu').length / kinds.length;
    expect(Math.abs(gpus - 0.8)).toBeLessThan(0.02);
    expect(challengeKind(random, false, 1)).toBe('cpu');
  });

  it('belong to the era in which they were sent', () => {
    expect([eraOf(0, 1_000), eraOf(999, 1_000), eraOf(1_000, 1_000)]).toEqual([0, 0, 1]);
  });
});
