import { type RttEnd } from '@gridbourse/catalog';
import { type MatchingProfile } from '@gridbourse/events';
import type { Micros } from '@gridbourse/kernel';
import { type Amounts, leftOf, NOTHING, plus } from './amounts.ts';
import { gpuThroughput, rttEndOf, rttMs } from './catalogue.ts';
import type { Fit, Subject } from './constraints.ts';
import type { Provider } from './market.ts';
import { nearest } from './pricing.ts';
import type { GroupNeed, MatchRequest } from './requirements.ts';

/** Each in [0, 1], 1 is best. */
export type ScoreTerms = {
  readonly cost: number;
  readonly geography: number;
  readonly performance: number;
  readonly reliability: number;
  readonly fit: number;
};

/** How much each term counts; not negative, and not all zero. */
export type Weights = Readonly<Record<keyof ScoreTerms, number>>;

/** Each row sums to 1. */
export const PROFILE_WEIGHTS: Readonly<Record<MatchingProfile, Weights>> = {
  cheapest: { cost: 0.75, geography: 0.05, performance: 0.05, reliability: 0.05, fit: 0.1 },
  balanced: { cost: 0.35, geography: 0.15, performance: 0.2, reliability: 0.2, fit: 0.1 },
  fastest: { cost: 0.15, geography: 0.1, performance: 0.55, reliability: 0.1, fit: 0.1 },
  nearest: { cost: 0.15, geography: 0.6, performance: 0.05, reliability: 0.1, fit: 0.1 },
};

/** A round trip this long or longer is worth nothing: half around the globe and back. */
const WORST_RTT_MS = 300;
/** From so many GPUs on, performance weighs twice. */
const HEAVY_GPUS = 8;
const WORST_TIER = 7;
/** Of reliability, what tier, recent uptime and age count: parts of a power of two, so that they add up to 1 exactly. */
const TIER_SHARE = 5 / 8;
const UPTIME_SHARE = 2 / 8;
const AGE_SHARE = 1 / 8;
/** A provider that has been there for so many eras is no newcomer: as many as the tier table demands before the best tier. */
const GROWN_UP_ERAS = 30;
/** Below this uptime a provider earns no reward any more (the last line of the tier table). */
const WORST_UPTIME = 0.75;
/** The least uptime of tiers 1 to 7: what is supposed of a provider whose first era has not closed yet. */
const UPTIME_OF_TIER: readonly number[] = [0.99, 0.98, 0.97, 0.95, 0.9, 0.75, 0];

/** What only the whole field of feasible offers can tell. */
export type Field = {
  readonly cheapest: Micros;
  /** Relative throughput of the fastest unit (GPU, slice or slot) that fits; 0 when no GPU is asked for. */
  readonly fastest: number;
};

export const throughputOf = ({
  offer,
  need,
}: Pick<Subject, 'need'> & { readonly offer: Pick<Subject['offer'], 'gpu'> }): number =>
  offer.gpu === null || need.gpuRequests.length === 0 ? 0 : gpuThroughput(offer.gpu, need.workload);

/**
 * Half against the budget, half against the cheapest that fits. Falls as the rate rises.
 * @param rate micro-USDC per hour, at most `limit` and at least `cheapest`; shares only, no amount is made of them
 */
export const costTerm = (rate: number, limit: number, cheapest: number): number => {
  const againstBudget = limit === 0 ? 1 : 1 - rate / limit;
  const againstCheapest = rate === 0 ? 1 : cheapest / rate;
  return (againstBudget + againstCheapest) / 2;
};

/** Falls from 1 at no distance to 0 at 300 ms and beyond. */
export const geographyTerm = (roundTripMs: number): number => Math.max(0, 1 - roundTripMs / WORST_RTT_MS);

/** Against the fastest that fits. @param throughput of one unit, for the class of the workload */
export const performanceTerm = (throughput: number, fastest: number): number =>
  fastest === 0 ? 1 : throughput / fastest;

/**
 * Five eighths tier, two eighths recent uptime between 75 % and all of the time, one eighth age: eras closed since it
 * registered, of 30. A provider without a closed era is taken to reach the uptime that its tier demands, no more.
 */
export const reliabilityTerm = ({
  tier,
  uptime,
  erasClosed,
}: Pick<Provider, 'tier' | 'uptime' | 'erasClosed'>): number => {
  const ofTier = (WORST_TIER - tier) / (WORST_TIER - 1);
  const known = uptime ?? UPTIME_OF_TIER[tier - 1]!;
  const ofUptime = Math.max(0, known - WORST_UPTIME) / (1 - WORST_UPTIME);
  const ofAge = Math.min(1, erasClosed / GROWN_UP_ERAS);
  return TIER_SHARE * ofTier + UPTIME_SHARE * ofUptime + AGE_SHARE * ofAge;
};

/** What stays free beside a group on the machines that it touches, against what they have: 1 when nothing is left over. */
export const fitTerm = (left: number, all: number): number => (all === 0 ? 1 : 1 - left / all);

/**
 * How little is left in pieces on the machines that are touched: GPUs that stay free beside the group, or, where
 * only CPU is taken, CPU; a CPU-only group on a GPU machine strands GPUs and gets nothing.
 */
const fit = ({ need, offer, free }: Subject, { packed }: Fit, gpusOfEach: number | null): number => {
  if (need.total.gpus === 0 && offer.gpu !== null) return 0;
  const dimension = need.total.gpus > 0 ? 'gpus' : 'cpuMillis';
  const declared = (at: number): number =>
    dimension === 'gpus' && gpusOfEach !== null ? gpusOfEach : offer.nodes[at]![dimension];
  if (packed.length === 1) {
    const { at } = packed[0]!;
    const here = need.pods[0]!.needs;
    return here[dimension] === 0 ? 1 : fitTerm(leftOf(free[at]!, here)[dimension], declared(at));
  }
  let left = 0;
  let all = 0;
  for (const [at, here] of takenOf(need, packed)) {
    if (here[dimension] === 0) continue;
    all += declared(at);
    left += leftOf(free[at]!, here)[dimension];
  }
  return fitTerm(left, all);
};

/** What a group takes of each machine, by the machine's place in the offer. */
const takenOf = (need: GroupNeed, packed: Fit['packed']): ReadonlyMap<number, Amounts> => {
  const needs = new Map(need.pods.map((pod) => [pod.tag, pod.needs]));
  const taken = new Map<number, Amounts>();
  for (const { tag, at } of packed) taken.set(at, plus(taken.get(at) ?? NOTHING, needs.get(tag) ?? NOTHING));
  return taken;
};

/** Where the tenant is, prepared for asking about many providers; null when it was not said. */
export const originOf = ({ near }: Pick<GroupNeed, 'near'>): RttEnd | null =>
  near === null ? null : rttEndOf(near);

const roundTripMs = ({ need, provider }: Subject): number => {
  const origin = originOf(need);
  return origin === null ? 0 : rttMs(origin, provider.place.location);
};

/** What a score is made of and whoever asks may know already. */
export type Known = {
  /** From the tenant to the provider, milliseconds; 0 where the tenant's place is not known. */
  readonly tripMs: number;
  /** Of one unit of the offer, for the class of the workload. */
  readonly throughput: number;
  /** The term. */
  readonly reliability: number;
  /** GPUs that every machine of the offer was declared with; null where one has more than another, or nobody has looked. */
  readonly gpusOfEach: number | null;
};

const knownOf = (subject: Subject): Known => ({
  tripMs: roundTripMs(subject),
  throughput: throughputOf(subject),
  reliability: reliabilityTerm(subject.provider),
  gpusOfEach: null,
});

export const scoreTerms = (
  subject: Subject,
  found: Fit,
  field: Field,
  { tripMs, throughput, reliability, gpusOfEach } = knownOf(subject),
): ScoreTerms => ({
  cost: costTerm(
    nearest(found.rateMicrosPerHour),
    nearest(subject.need.limitMicrosPerHour),
    nearest(field.cheapest),
  ),
  geography: geographyTerm(tripMs),
  performance: performanceTerm(throughput, field.fastest),
  reliability,
  fit: fit(subject, found, gpusOfEach),
});

/** The weights of the tenant, else of its profile; the heavier the work, the more performance weighs. */
export const weightsOf = ({ profile, weights }: MatchRequest, gpus: number): Weights => {
  const base = weights ?? PROFILE_WEIGHTS[profile];
  return { ...base, performance: base.performance * (1 + Math.min(1, gpus / HEAVY_GPUS)) };
};

/**
 * Weighted mean of the terms, in [0, 1]. Never falls when a term rises, in floating point as well: each step of it is
 * monotone. The search for the best relies on that.
 */
export const weightedMean = (
  weights: Weights,
  cost: number,
  geography: number,
  performance: number,
  reliability: number,
  fit: number,
): number =>
  (weights.cost * cost +
    weights.geography * geography +
    weights.performance * performance +
    weights.reliability * reliability +
    weights.fit * fit) /
  (weights.cost + weights.geography + weights.performance + weights.reliability + weights.fit);

export const scoreOf = (terms: ScoreTerms, weights: Weights): number =>
  weightedMean(weights, terms.cost, terms.geography, terms.performance, terms.reliability, terms.fit);
