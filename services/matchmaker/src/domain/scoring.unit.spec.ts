import { leastRttMs } from '@gridbourse/catalog';
import { distanceKm } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { rttEndOf, rttMs } from './catalogue.ts';
import {
  costTerm,
  fitTerm,
  geographyTerm,
  performanceTerm,
  PROFILE_WEIGHTS,
  reliabilityTerm,
  scoreOf,
  type ScoreTerms,
  weightsOf,
} from './scoring.ts';

const share = fc.double({ min: 0, max: 1, noNaN: true });
const rate = fc.integer({ min: 0, max: 10 ** 12 });
const sorted = <T extends number>(values: readonly T[]): T[] => [...values].sort((a, b) => a - b);
const inRange = (term: number): boolean => term >= 0 && term <= 1;

describe('the terms of the score, each in [0, 1]', () => {
  it('cost falls as the rate rises', () => {
    fc.assert(
      fc.property(rate, rate, rate, rate, (a, b, c, d) => {
        const [cheapest, low, high, limit] = sorted([a, b, c, d]) as [number, number, number, number];
        const [dear, cheap] = [costTerm(high, limit, cheapest), costTerm(low, limit, cheapest)];
        expect(inRange(dear) && inRange(cheap)).toBe(true);
        expect(dear).toBeLessThanOrEqual(cheap);
      }),
    );
    expect(costTerm(0, 0, 0)).toBe(1);
    expect(costTerm(50, 100, 50)).toBe(0.75);
  });

  it('geography falls as the round trip grows', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1_000, noNaN: true }),
        fc.double({ min: 0, max: 1_000, noNaN: true }),
        (a, b) => {
          const [near, far] = sorted([a, b]).map(geographyTerm) as [number, number];
          expect(inRange(near) && inRange(far)).toBe(true);
          expect(far).toBeLessThanOrEqual(near);
        },
      ),
    );
    expect([geographyTerm(0), geographyTerm(150), geographyTerm(300)]).toEqual([1, 0.5, 0]);
  });

  it('performance grows with throughput', () => {
    fc.assert(
      fc.property(share, share, share, (a, b, c) => {
        const [slow, quick, fastest] = sorted([a, b, c]) as [number, number, number];
        const [low, high] = [performanceTerm(slow, fastest), performanceTerm(quick, fastest)];
        expect(inRange(low) && inRange(high)).toBe(true);
        expect(low).toBeLessThanOrEqual(high);
      }),
    );
    expect(performanceTerm(0, 0)).toBe(1);
  });

  it('reliability grows with a better tier, with uptime and with age; uptime that is not known is not held against a newcomer', () => {
    const tier = fc.integer({ min: 1, max: 7 });
    const eras = fc.oneof(fc.nat(40), fc.nat(2 ** 31 - 1));
    fc.assert(
      fc.property(tier, tier, share, share, eras, eras, (a, b, u, v, m, n) => {
        const [better, worse] = sorted([a, b]) as [number, number];
        const [less, more] = sorted([u, v]) as [number, number];
        const [younger, older] = sorted([m, n]) as [number, number];
        const low = reliabilityTerm({ tier: worse, uptime: less, erasClosed: younger });
        const high = reliabilityTerm({ tier: better, uptime: more, erasClosed: older });
        expect(inRange(low) && inRange(high)).toBe(true);
        expect(low).toBeLessThanOrEqual(high);
        const [unknownWorse, unknownBetter] = [worse, better].map((t) =>
          reliabilityTerm({ tier: t, uptime: null, erasClosed: younger }),
        );
        expect(unknownWorse!).toBeLessThanOrEqual(unknownBetter!);
      }),
    );
    const reliability = (of: number, uptime: number | null, erasClosed: number): number =>
      reliabilityTerm({ tier: of, uptime, erasClosed });
    expect([reliability(1, 1, 30), reliability(1, 1, 31)]).toEqual([1, 1]);
    expect(reliability(7, 0.75, 0)).toBe(0);
    expect(reliability(4, null, 0)).toBe(reliability(4, 0.95, 0));
    expect(reliability(4, 0.95, 15) - reliability(4, 0.95, 0)).toBe(1 / 16);
  });

  it('fit falls with what is left over', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.nat(100), fc.nat(100), (a, b, c) => {
        const [less, more, all] = sorted([a, b, c]) as [number, number, number];
        expect(inRange(fitTerm(less, all)) && inRange(fitTerm(more, all))).toBe(true);
        expect(fitTerm(more, all)).toBeLessThanOrEqual(fitTerm(less, all));
      }),
    );
  });
});

describe('the score', () => {
  const terms: fc.Arbitrary<ScoreTerms> = fc.record({
    cost: share,
    geography: share,
    performance: share,
    reliability: share,
    fit: share,
  });
  const weights = terms.filter((all) => Object.values(all).some((weight) => weight > 1e-6));

  it('is in [0, 1] and never falls when a term rises, to the last bit', () => {
    fc.assert(
      fc.property(terms, terms, weights, (a, b, w) => {
        const high = Object.fromEntries(
          Object.keys(a).map((key) => [
            key,
            Math.max(a[key as keyof ScoreTerms], b[key as keyof ScoreTerms]),
          ]),
        ) as ScoreTerms;
        expect(scoreOf(high, w)).toBeGreaterThanOrEqual(scoreOf(a, w));
        expect(scoreOf(a, w)).toBeGreaterThanOrEqual(0);
        expect(scoreOf(high, w)).toBeLessThanOrEqual(1 + Number.EPSILON);
      }),
      { numRuns: 1_000 },
    );
  });

  it('weighs as the profile says, unless the tenant says otherwise, and performance more for heavy work', () => {
    const profile = { profile: 'balanced' } as Parameters<typeof weightsOf>[0];
    expect(weightsOf(profile, 0)).toEqual(PROFILE_WEIGHTS.balanced);
    expect(weightsOf(profile, 8).performance).toBe(2 * PROFILE_WEIGHTS.balanced.performance);
    const own = { cost: 1, geography: 0, performance: 2, reliability: 0, fit: 0 };
    expect(weightsOf({ ...profile, weights: own }, 4)).toEqual({ ...own, performance: 3 });
  });
});

describe('round trips', () => {
  const point = fc.record({
    latitude: fc.double({ min: -90, max: 90, noNaN: true }),
    longitude: fc.double({ min: -180, max: 180, noNaN: true }),
  });

  it('are never estimated below what the distance allows', () => {
    fc.assert(
      fc.property(point, point, (a, b) => {
        expect(rttMs(rttEndOf(a), b)).toBeGreaterThanOrEqual(leastRttMs(distanceKm(a, b)));
      }),
      { numRuns: 500 },
    );
  });
});
