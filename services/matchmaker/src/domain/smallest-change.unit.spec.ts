import { seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { RandomMarket } from '../../test/random-market.ts';
import { indexedViewOf, type MarketView, matchOrder, sourceOf, viewOf } from './matching.ts';
import type { MatchRequest } from './requirements.ts';
import { smallestChange } from './smallest-change.ts';

const OFFERS = 600;

const scene = new RandomMarket(seededRandom(21));
for (let i = 0; i < 100; i += 1) scene.addProvider();
for (let i = 0; i < OFFERS; i += 1) scene.addOffer();

const hopeless = (view: MarketView, count: number): MatchRequest[] => {
  const found: MatchRequest[] = [];
  while (found.length < count) {
    const request = scene.request(1 + (found.length % 2));
    if (matchOrder(request, view) === null) found.push(request);
  }
  return found;
};

describe('the search for the smallest change', () => {
  it('finds the same whether the market is looked up or looked through', () => {
    const indexed = indexedViewOf(scene.market, scene.book);
    let changed = 0;
    for (const request of hopeless(indexed, 12)) {
      const [found, plain] = [
        smallestChange(request, indexed),
        smallestChange(request, viewOf(scene.market, scene.book), { maxLooks: Infinity }),
      ];
      expect(found && { ...found, request: null }).toEqual(plain && { ...plain, request: null });
      if (found && !found.waits) changed += 1;
    }
    expect(changed).toBeGreaterThan(3);
  });

  it('ends when it has looked at enough, and still tells only what would match', () => {
    const indexed = indexedViewOf(scene.market, scene.book);
    const source = sourceOf(indexed);
    let cut = 0;
    for (const request of hopeless(indexed, 40)) {
      const from = source.looks();
      const change = smallestChange(request, indexed, { maxLooks: 300 });
      // What waiting would do is one attempt without a limit; another may have begun just below it.
      expect(source.looks() - from).toBeLessThan(300 + 8 * OFFERS);
      if (change && !change.waits) expect(matchOrder(change.request, indexed)).not.toBeNull();
      if (smallestChange(request, indexed)?.size !== change?.size) cut += 1;
    }
    expect(cut).toBeGreaterThan(0);
  });
});
