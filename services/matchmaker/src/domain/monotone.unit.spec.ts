import { type GpuSharing, INTERCONNECTS } from '@gridbourse/events';
import { nextInt, type Random, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RandomMarket } from '../../test/random-market.ts';
import type { Interconnect } from './interconnect.ts';
import { indexedViewOf, matchOrder } from './matching.ts';

const SLOTS = [2, 3, 10];

/** For each number of slots of a GPU fewer and larger ones, or as many: the same wherever there are such. */
const largerSlots = (random: Random): ReadonlyMap<number, number> =>
  new Map(SLOTS.map((slots) => [slots, Math.max(2, slots - nextInt(random, 2))]));

const larger = (sharing: GpuSharing, slots: ReadonlyMap<number, number>): GpuSharing =>
  sharing.mode === 'shared' ? { ...sharing, slotsPerGpu: slots.get(sharing.slotsPerGpu)! } : sharing;

const faster = (network: Interconnect, random: Random): Interconnect =>
  INTERCONNECTS[Math.min(INTERCONNECTS.length - 1, INTERCONNECTS.indexOf(network) + nextInt(random, 2))]!;

describe('matching is monotone', () => {
  it('what matches on a weaker market matches on a stronger one', () => {
    let [matched, inParts] = [0, 0];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        const parts = seed % 2 === 0;
        const weak = new RandomMarket(random, { parts }).steps(60 + nextInt(random, 60));
        const request = weak.request(1 + nextInt(random, 2));
        if (!matchOrder(request, indexedViewOf(weak.market, weak.book))) return;
        matched += 1;
        if (parts) inParts += 1;
        const slots = largerSlots(random);
        // Every machine and slot larger, every network faster, every price lower, every provider better; and one more.
        const offers = [...weak.market.offers()].map((offer) => ({
          ...offer,
          gpu: offer.gpu && { ...offer.gpu, sharing: larger(offer.gpu.sharing, slots) },
          interconnect: faster(offer.interconnect, random),
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
        // Who has a slot has a larger one now.
        for (const taking of [...weak.book.all()]) {
          const unit = taking.unit.replace(
            /^shared:(\d+)$/,
            (_, count) => `shared:${slots.get(Number(count))}`,
          );
          weak.book.put({ ...taking, unit });
        }
        weak.market.restore(providers, offers);
        weak.addProvider();
        weak.addOffer();
        expect(matchOrder(request, indexedViewOf(weak.market, weak.book))).not.toBeNull();
      }),
      { numRuns: 250, examples: [[1_982_867_976]] },
    );
    expect(matched).toBeGreaterThan(12);
    expect(inParts).toBeGreaterThan(6);
  });
});
