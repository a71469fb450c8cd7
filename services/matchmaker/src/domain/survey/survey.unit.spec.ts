import { type Random, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { idOf } from '../../../test/builders.ts';
import { plainFindings } from '../../../test/plain-findings.ts';
import { someBids } from '../../../test/random-bids.ts';
import { RandomMarket } from '../../../test/random-market.ts';
import { withBids } from '../auction-view.ts';
import { CONSTRAINTS, failuresOf } from '../constraints.ts';
import { indexedViewOf, type MarketView, viewOf } from '../matching.ts';
import { rateMicrosPerHour } from '../pricing.ts';
import { type GroupNeed, groupNeeds, type MatchRequest } from '../requirements.ts';
import { Kinds } from './kinds.ts';
import { surveyed } from './market-survey.ts';
import type { Findings } from './survey.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

/** In a form that can be compared: of the nearest also every word that is said of them. */
const shown = ({ offers, failed, nearest }: Findings) => ({
  offers,
  failed: Object.fromEntries([...failed].sort()),
  nearest: nearest.map((subject) => [subject.offer.offerId, subject.offer.price, failuresOf(subject)]),
});

const agrees = (need: GroupNeed, view: MarketView, plain: MarketView, seen: Set<string>): void => {
  const found = surveyed(view).survey.findingsFor(need, 5);
  expect(shown(found)).toEqual(shown(plainFindings(need, plain, 5)));
  for (const constraint of found.failed.keys()) seen.add(constraint);
};

const declining = (request: MatchRequest, random: Random): MatchRequest => ({
  ...request,
  declinedBy: random.next() < 0.3 ? [idOf('provider', 'p2'), idOf('provider', 'nobody')] : [],
});

describe('a survey', () => {
  it('finds what holding every offer against the order finds, through a changing market', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = seededRandom(seed);
        const scene = new RandomMarket(random, { parts: seed % 2 === 0 });
        const indexed = indexedViewOf(scene.market, scene.book);
        for (let round = 0; round < 8; round += 1) {
          scene.steps(25);
          const request = declining(scene.request(1 + (round % 2)), random);
          for (const need of groupNeeds(request)) {
            const plain = viewOf(scene.market, scene.book);
            agrees(need, indexed, plain, seen);
            agrees(need, plain, plain, seen);
            const bids = someBids(scene.market, need.group.name, random);
            agrees(need, withBids(indexed, bids), withBids(plain, bids), seen);
            agrees(need, withBids(plain, bids), withBids(plain, bids), seen);
          }
        }
      }),
      { numRuns: 30 },
    );
    // Of all that can keep an offer from an order, nothing stayed untried but another vendor.
    expect(CONSTRAINTS.filter((constraint) => !seen.has(constraint))).toEqual(['gpu_vendor']);
  });

  it('finds the same where prices are next to the limit', () => {
    const random = seededRandom(3);
    const scene = new RandomMarket(random).steps(300);
    const indexed = indexedViewOf(scene.market, scene.book);
    const plain = viewOf(scene.market, scene.book);
    const request = scene.request();
    const [need] = groupNeeds(request) as [GroupNeed];
    const rates = plainFindings(need, plain, 40).nearest.map(({ offer }) =>
      rateMicrosPerHour(offer.price, need.total),
    );
    for (const rate of rates) {
      for (const limitMicrosPerHour of [rate - 1n, rate, rate + 1n])
        agrees({ ...need, limitMicrosPerHour }, indexed, plain, new Set());
    }
    expect(rates.length).toBeGreaterThan(20);
  });
});

describe('kinds', () => {
  it('are found out once each, forgotten with their last, and their numbers used again', () => {
    const kinds = new Kinds<string>();
    const [a, b] = [kinds.add('a', 'first'), kinds.add('b', 'other')];
    expect(kinds.add('a', 'second')).toBe(a);
    let asked = 0;
    expect([...kinds.each((sample) => (asked += 1) && sample.length)]).toEqual([5, 5]);
    expect(asked).toBe(2);
    kinds.remove(a);
    expect([...kinds]).toEqual(['first', 'other']);
    kinds.remove(a);
    expect([...kinds]).toEqual(['other']);
    expect(kinds.add('c', 'third')).toBe(a);
    kinds.remove(b);
    expect([...kinds]).toEqual(['third']);
  });
});
