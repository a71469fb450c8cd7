import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  DEFAULT_TIERS,
  deservedTier,
  FIRST_STANDING,
  nextStanding,
  type Standing,
  type Tier,
} from './tiers.ts';

const deserves = (answered: number, sent: number, responseP95Ms: number | null) =>
  deservedTier(DEFAULT_TIERS, { challengesSent: sent, challengesAnswered: answered, responseP95Ms });

const after = (eras: readonly (Tier | null)[], start: Standing = FIRST_STANDING): Standing =>
  eras.reduce((standing, tier) => nextStanding(DEFAULT_TIERS, standing, tier), start);

const tier = fc.constantFrom<Tier>(1, 2, 3, 4, 5, 6, 7);
const history = fc.array(fc.option(tier, { nil: null, freq: 10 }), { maxLength: 300 });

describe('the tier an era deserves', () => {
  it.each([
    [99, 100, 99, 1],
    [99, 100, 100, 2],
    [98, 100, 50, 2],
    [100, 100, 259, 3],
    [95, 100, 10, 4],
    [90, 100, 419, 5],
    [75, 100, 499, 6],
    [74, 100, 10, 7],
    [100, 100, 500, 7],
    [0, 10, null, 7],
    [0, 0, null, null],
  ])('%d of %d answered, p95 %s ms: tier %s', (answered, sent, p95, expected) => {
    expect(deserves(answered, sent, p95)).toBe(expected);
  });

  it('never improves with fewer answers or slower ones', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.nat(100), fc.nat(600), fc.nat(600), (a, b, p, q) => {
        const [few, many] = [Math.min(a, b), Math.max(a, b)];
        const [fast, slow] = [Math.min(p, q), Math.max(p, q)];
        expect(deserves(few, 100, slow)!).toBeGreaterThanOrEqual(deserves(many, 100, fast)!);
      }),
    );
  });
});

describe('standing', () => {
  it('rises to tier 3 after 17 eras in a row, and not before', () => {
    expect(after(Array<Tier>(16).fill(1)).tier).toBe(4);
    expect(after(Array<Tier>(17).fill(1))).toEqual({ tier: 3, betterEras: 0, worseEras: 0 });
  });

  it('falls from tier 4 after 14 eras in a row, and not before', () => {
    expect(after(Array<Tier>(13).fill(7)).tier).toBe(4);
    expect(after(Array<Tier>(14).fill(7))).toEqual({ tier: 5, betterEras: 0, worseEras: 0 });
  });

  it('counts anew after an era that deserves the tier it has; an era without evidence changes nothing', () => {
    expect(after([...Array<Tier>(16).fill(1), 4, 1])).toEqual({ tier: 4, betterEras: 1, worseEras: 0 });
    expect(after([...Array<Tier>(16).fill(1), null, 1]).tier).toBe(3);
  });

  it('stays within 1 to 7, moves by one, and only after the waiting eras of that move', () => {
    fc.assert(
      fc.property(history, (eras) => {
        let standing = FIRST_STANDING;
        let sinceMove: (Tier | null)[] = [];
        for (const deserved of eras) {
          const next = nextStanding(DEFAULT_TIERS, standing, deserved);
          if (deserved !== null) sinceMove.push(deserved);
          expect(next.tier).toBeGreaterThanOrEqual(1);
          expect(next.tier).toBeLessThanOrEqual(7);
          if (next.tier !== standing.tier) {
            const up = next.tier < standing.tier;
            expect(Math.abs(next.tier - standing.tier)).toBe(1);
            const rule = DEFAULT_TIERS.find((r) => r.tier === (up ? next.tier : standing.tier))!;
            const waited = sinceMove.slice(up ? -rule.erasToRise : -rule.erasToFall);
            expect(waited).toHaveLength(up ? rule.erasToRise : rule.erasToFall);
            const from = standing.tier;
            expect(waited.every((t) => (up ? t! < from : t! > from))).toBe(true);
            sinceMove = [];
          }
          standing = next;
        }
      }),
    );
  });

  it('a history that is better in every era never ends in a worse tier', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(tier, tier), { maxLength: 300 }), (pairs) => {
        const better = after(pairs.map(([a, b]) => Math.min(a, b) as Tier));
        const worse = after(pairs.map(([a, b]) => Math.max(a, b) as Tier));
        expect(better.tier).toBeLessThanOrEqual(worse.tier);
      }),
    );
  });
});
