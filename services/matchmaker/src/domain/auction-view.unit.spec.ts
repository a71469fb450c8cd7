import { nextInt, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { someBids } from '../../test/random-bids.ts';
import { RandomMarket } from '../../test/random-market.ts';
import type { Auction } from './auction.ts';
import { judge } from './auction-result.ts';
import { withBids } from './auction-view.ts';
import type { Candidate } from './candidates.ts';
import {
  cheapestRate,
  emptied,
  indexedViewOf,
  type MarketView,
  matchOrder,
  rankCandidates,
  sourceOf,
  viewOf,
} from './matching.ts';
import { groupNeeds, type MatchRequest } from './requirements.ts';

const shown = (candidates: readonly Candidate[]) =>
  candidates.map(({ offer, provider, rateMicrosPerHour, terms, score }) => [
    ...[offer.offerId, provider.providerId, rateMicrosPerHour, terms, score],
  ]);

const judged = (request: MatchRequest, auction: Auction, view: MarketView) =>
  judge({ request, auction, view, match: matchOrder(request, view), closedAtMs: 0 });

describe('the market as an auction sees it', () => {
  it('has the same candidates, matches and verdicts whether it is searched or looked at offer by offer', () => {
    const seen = { fitting: 0, won: 0, lost: 0, unfit: 0 };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        const scene = new RandomMarket(random, { parts: seed % 2 === 0 });
        const indexed = indexedViewOf(scene.market, scene.book);
        for (let round = 0; round < 5; round += 1) {
          scene.steps(60);
          const request = { ...scene.request(1 + (round % 2)), auction: true };
          const needs = groupNeeds(request);
          const share = 0.1 + 0.5 * random.next();
          const bids = needs.flatMap(({ group }) => someBids(scene.market, group.name, random, share));
          const fast = withBids(indexed, bids);
          const slow = withBids(viewOf(scene.market, scene.book), bids);
          for (const need of needs) {
            const expected = rankCandidates(request, need, slow);
            expect(shown(rankCandidates(request, need, fast))).toEqual(shown(expected));
            const few = 1 + nextInt(random, 4);
            expect(shown(rankCandidates(request, need, fast, few))).toEqual(shown(expected.slice(0, few)));
            expect(cheapestRate(request, need, fast)).toEqual(cheapestRate(request, need, slow));
            expect(cheapestRate(request, need, emptied(fast))).toEqual(
              cheapestRate(request, need, emptied(slow)),
            );
            seen.fitting += expected.length;
          }
          const auction: Auction = { closesAtMs: 0, bids, result: null };
          const verdict = judged(request, auction, slow);
          expect(judged(request, auction, fast)).toEqual(verdict);
          seen.won += verdict.result.groups.filter(({ winner }) => winner?.bidId).length;
          seen.lost += verdict.verdicts.filter(({ score }) => score !== null).length;
          seen.unfit += verdict.verdicts.filter(({ score }) => score === null).length;
        }
      }),
      { numRuns: 60 },
    );
    expect(seen.fitting).toBeGreaterThan(150);
    expect(Math.min(seen.lost, seen.unfit)).toBeGreaterThan(30);
    expect(seen.won).toBeGreaterThan(0);
  });

  it('is not looked at offer by offer when an auction closes', () => {
    const random = seededRandom(4);
    const scene = new RandomMarket(random);
    for (let i = 0; i < 100; i += 1) scene.addProvider();
    for (let i = 0; i < 2_000; i += 1) scene.addOffer();
    const indexed = indexedViewOf(scene.market, scene.book);
    for (let round = 0; round < 10; round += 1) {
      const request = { ...scene.request(), auction: true };
      const bids = someBids(scene.market, request.spec.groups[0]!.name, random, 0.01);
      const before = sourceOf(indexed).looks();
      judged(request, { closesAtMs: 0, bids, result: null }, withBids(indexed, bids));
      expect(sourceOf(indexed).looks() - before).toBeLessThan(1_000);
    }
  });
});
