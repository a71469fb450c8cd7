import { nextInt, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RandomMarket } from '../../test/random-market.ts';
import { indexedViewOf, matchOrder } from './matching.ts';

describe('matching is monotone', () => {
  it('what matches on a weaker market matches on a stronger one', () => {
    let matched = 0;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        const weak = new RandomMarket(random).steps(60 + nextInt(random, 60));
        const request = weak.request(1 + nextInt(random, 2));
        if (!matchOrder(request, indexedViewOf(weak.market, weak.book))) return;
        matched += 1;
        // Every machine larger, every price lower, every provider better; and one provider more.
        const offers = [...weak.market.offers()].map((offer) => ({
          ...offer,
          nodes: offer.nodes.map((node) => ({
            ...node,
            gpus: node.gpus + nextInt(random, 3),
            cpuMillis: node.cpuMillis + nextInt(random, 5_000),
            memoryMiB: node.memoryMiB + nextInt(random, 5_000),
          })),
          price: { ...offer.price, perGpu: offer.price.perGpu - BigInt(nextInt(random, 100_000)) },
        }));
        const providers = [...weak.market.providers()].map((provider) => ({
          ...provider,
          tier: Math.max(1, provider.tier - nextInt(random, 3)),
        }));
        weak.market.restore(providers, offers);
        weak.addProvider();
        weak.addOffer();
        expect(matchOrder(request, indexedViewOf(weak.market, weak.book))).not.toBeNull();
      }),
      { numRuns: 250 },
    );
    expect(matched).toBeGreaterThan(12);
  });
});
