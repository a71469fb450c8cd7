import { type LeaseId, newId, nextInt, type Random, seededRandom } from '@gridbourse/kernel';
import {
  amountsByNode,
  indexedViewOf,
  type Match,
  matchOrder,
  type MatchRequest,
  type Offer,
  type OfferId,
} from '@gridbourse/matchmaker/matching';
import { perSecond, percentile, rounded } from '../frame/statistics.ts';
import { type BenchMarket, randomMarket } from './market.ts';
import { requestOf, serviceOf, specOf } from './orders.ts';

const START_MS = 1_790_000_000_000;
/** Leases end after so many gangs, as room runs out. */
const GANGS_AT_ONCE = 50;
const h100 = (count: number) => ({
  count,
  vendor: 'nvidia' as const,
  sharing: { mode: 'whole' as const },
  models: [{ model: 'h100', vramMiB: null, interface: null, migProfile: null }],
});

/** Every tenth offer becomes a cluster of 64 machines of eight H100. */
const withClusters = ({ market, book }: BenchMarket, random: Random): BenchMarket => {
  const clusters: Offer[] = [...market.offers()]
    .filter((_, at) => at % 10 === 0)
    .map((offer) => ({
      ...offer,
      offerId: newId('offer', START_MS, random),
      gpu: { model: 'h100', vendor: 'nvidia', vramMiB: 81_920, interface: 'sxm', sharing: { mode: 'whole' } },
      nodes: Array.from({ length: 64 }, (_, at) => ({
        name: `node-${at}`,
        gpus: 8,
        cpuMillis: 128_000,
        memoryMiB: 1_048_576,
        storageMiB: 8_388_608,
      })),
      price: { ...offer.price, perGpu: BigInt(1_500_000 + nextInt(random, 1_500_000)) },
    }));
  market.restore([], clusters);
  return { market, book };
};

const oneProvider = (random: Random): MatchRequest =>
  requestOf(random, specOf([serviceOf(h100(8), 32, '40')]));

/** Sixteen leases of two machines each, in one region. */
const inOneRegion = (random: Random): MatchRequest => {
  const spec = specOf([serviceOf(h100(8), 2, '40')], { regions: ['eu-west'] });
  const groups = Array.from({ length: 16 }, (_, at) => ({ ...spec.groups[0]!, name: `part-${at}` }));
  return requestOf(random, { ...spec, groups });
};

type Held = { readonly offerId: OfferId; readonly leaseId: LeaseId };

export type GangFigures = { readonly perSecond: number; readonly msP99: number };

const measure = (
  { market, book }: BenchMarket,
  count: number,
  random: Random,
  make: (random: Random) => MatchRequest,
): GangFigures => {
  const view = indexedViewOf(market, book);
  const requests = Array.from({ length: count }, () => make(random));
  matchOrder(make(random), view);
  const times: number[] = [];
  let held: Held[] = [];
  const hold = (request: MatchRequest, match: Match): void => {
    for (const { group, offerId, placements } of match.groups) {
      const spec = request.spec.groups.find(({ name }) => name === group)!;
      const leaseId = newId('lease', START_MS, random);
      book.put({ leaseId, offerId, claim: 'held', onNodes: amountsByNode(spec, placements) });
      held.push({ offerId, leaseId });
    }
  };
  const start = performance.now();
  requests.forEach((request, i) => {
    const begun = performance.now();
    const match = matchOrder(request, view);
    if (!match) throw new Error(`gang ${i} of 256 GPUs found no place`);
    hold(request, match);
    times.push(performance.now() - begun);
    if (i % GANGS_AT_ONCE !== GANGS_AT_ONCE - 1) return;
    for (const { offerId, leaseId } of held) book.remove(offerId, leaseId);
    held = [];
  });
  const ms = performance.now() - start;
  for (const { offerId, leaseId } of held) book.remove(offerId, leaseId);
  return { perSecond: perSecond(count, ms), msP99: rounded(percentile(times, 0.99)) };
};

/** 256 GPUs at once, found and held: 32 machines at one provider, and sixteen parts anywhere in one region. */
export const gangs = (offers: number, count: number): { whole: GangFigures; parts: GangFigures } => {
  const random = seededRandom(3);
  const made = withClusters(randomMarket(random, offers), random);
  return {
    whole: measure(made, count, random, oneProvider),
    parts: measure(made, Math.ceil(count / 4), random, inOneRegion),
  };
};
