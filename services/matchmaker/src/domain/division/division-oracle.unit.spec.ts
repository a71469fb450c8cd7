import { seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { divisibleScene } from '../../../test/divisible-scene.ts';
import { smallestChangeSize } from '../../../test/oracle-changes.ts';
import { emptiedMarket, isPlaceFor, matches, smallMarket } from '../../../test/oracle.ts';
import { indexedViewOf, type Match, matchOrder, viewOf } from '../matching.ts';
import type { MatchRequest } from '../requirements.ts';
import { smallestChange } from '../smallest-change.ts';

/** More on demand: DIVISION_ORACLE_MARKETS=10000 takes some minutes. */
const MARKETS = Number(process.env['DIVISION_ORACLE_MARKETS'] ?? 800);

const partsOf = (match: Match, group: string) => match.groups.filter((one) => one.group === group);

const whole = (request: MatchRequest): MatchRequest => ({
  ...request,
  spec: { ...request.spec, groups: request.spec.groups.map((group) => ({ ...group, maxProviders: 1 })) },
});

describe('dividing, beside an oracle that tries every division', () => {
  it('finds a place exactly when there is one, takes one that the oracle knows, divides nothing that fits whole', () => {
    let [matched, divided, changed] = [0, 0, 0];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const { market, book, request } = divisibleScene(seededRandom(seed));
        const small = smallMarket(market, book);
        const view = indexedViewOf(market, book);
        const match = matchOrder(request, view);
        expect(match !== null).toBe(matches(request, small));
        expect(matchOrder(request, viewOf(market, book))).toEqual(match);
        if (!match) {
          // What the oracle finds slowly.
          if (seed % 5 > 0) return;
          const change = smallestChange(request, view);
          expect(change?.size ?? Infinity).toBeCloseTo(smallestChangeSize(request, small), 9);
          if (!change) return;
          changed += 1;
          expect(matches(change.request, change.waits ? emptiedMarket(small) : small)).toBe(true);
          return;
        }
        matched += 1;
        for (const group of request.spec.groups) {
          const parts = partsOf(match, group.name);
          const taken = parts.map(({ offerId, portion }) => ({
            offerId,
            replicas: Object.fromEntries(portion.services.map((one) => [one.name, one.replicas])),
          }));
          expect(isPlaceFor(request, group, small, taken)).toBe(true);
        }
        if (match.groups.every(({ part }) => part === null)) return;
        divided += 1;
        expect(matches(whole(request), small)).toBe(false);
      }),
      // Once got wrong: two replicas fewer brought less money than the other service needed, one fewer did not.
      { numRuns: MARKETS, examples: [[214_028_555]] },
    );
    expect(Math.min(matched, divided, changed)).toBeGreaterThan(MARKETS / 100);
  }, 600_000);
});
