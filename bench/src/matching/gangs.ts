import { type LeaseId, newId, nextInt, type Random, seededRandom } from '@gridbourse/kernel';
import {
  amountsByNode,
  indexedViewOf,
  type Match,
  matchOrder,
  type MatchRequest,
  type Offer,
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

/** Every tenth offer becomes a cluster of so many machines of eight H100. */
const withClusters = ({ market, book }: BenchMarket, random: Random, machines: number): BenchMarket => {
  const clusters: Offer[] = [...market.offers()]
    .filter((_, at) => at % 10 === 0)
    .map((offer) => ({ ...offer, offerId: newId('offer', START_MS, random) }))
    .map((offer) => ({
      ...offer,
      gpu: { model: 'h100', vendor: 'nvidia', vramMiB: 81_920, interface: 'sxm', sharing: { mode: 'whole' } },
      nodes: Array.from({ length: machines }, (_, at) => ({
        name: `${offer.offerId}-${at}`,
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

/** One group of 32 machines where no cluster has more than twelve: over three of one region at least, four at most. */
const dividedOverFour = (random: Random): MatchRequest =>
  requestOf(random, specOf([serviceOf(h100(8), 32, '40')], { maxProviders: 4 }));

/** The same where no four have so many: what it costs to find that out. */
const inVain = (random: Random): MatchRequest =>
  requestOf(random, specOf([serviceOf(h100(8), 64, '40')], { maxProviders: 4 }));

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
  let held: LeaseId[] = [];
  const hold = (match: Match): void => {
    for (const { portion, offerId, providerId, placements } of match.groups) {
      const leaseId = newId('lease', START_MS, random);
      const onNodes = amountsByNode(portion, placements);
      book.put({ leaseId, providerId, offerId, unit: 'whole', claim: 'held', onNodes });
      held.push(leaseId);
    }
  };
  const start = performance.now();
  requests.forEach((request, i) => {
    const begun = performance.now();
    const match = matchOrder(request, view);
    if (!match) throw new Error(`gang ${i} of 256 GPUs found no place`);
    hold(match);
    times.push(performance.now() - begun);
    if (i % GANGS_AT_ONCE !== GANGS_AT_ONCE - 1) return;
    for (const leaseId of held) book.remove(leaseId);
    held = [];
  });
  const ms = performance.now() - start;
  for (const leaseId of held) book.remove(leaseId);
  return { perSecond: perSecond(count, ms), msP99: rounded(percentile(times, 0.99)) };
};

/** Milliseconds until it is known that there is no place, the median. */
const refusal = ({ market, book }: BenchMarket, count: number, random: Random): number => {
  const view = indexedViewOf(market, book);
  const times = Array.from({ length: count }, () => {
    const request = inVain(random);
    const begun = performance.now();
    if (matchOrder(request, view)) throw new Error('a gang of 512 GPUs found a place at four clusters of 96');
    return performance.now() - begun;
  });
  return rounded(percentile(times, 0.5));
};

export type GangsFigures = {
  readonly whole: GangFigures;
  readonly parts: GangFigures;
  readonly divided: GangFigures;
  readonly refusedMsP50: number;
};

/**
 * 256 GPUs at once, found and held: 32 machines at one provider, sixteen groups anywhere in one region, and one group
 * divided over up to four providers where no one has enough.
 */
export const gangs = (offers: number, count: number): GangsFigures => {
  const random = seededRandom(3);
  const large = withClusters(randomMarket(random, offers), random, 64);
  const some = Math.ceil(count / 4);
  const figures = {
    whole: measure(large, count, random, oneProvider),
    parts: measure(large, some, random, inOneRegion),
  };
  const small = withClusters(randomMarket(random, offers), random, 12);
  return {
    ...figures,
    divided: measure(small, some, random, dividedOverFour),
    refusedMsP50: refusal(small, Math.min(some, 20), random),
  };
};
