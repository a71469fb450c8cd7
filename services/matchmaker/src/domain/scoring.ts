import { type MatchingProfile } from '@gridbourse/events';
import type { Micros } from '@gridbourse/kernel';
import { type Amounts, leftOf, NOTHING, plus } from './amounts.ts';
import { gpuThroughput, rttMs } from './catalogue.ts';
import type { Fit, Subject } from './constraints.ts';
import { ratio } from './pricing.ts';

/** Each in [0, 1], 1 is best. */
export type ScoreTerms = {
  readonly cost: number;
  readonly geography: number;
  readonly performance: number;
  readonly reliability: number;
  readonly fit: number;
};

type Weights = Readonly<Record<keyof ScoreTerms, number>>;

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

/** What only the whole field of feasible offers can tell. */
export type Field = { readonly cheapest: Micros; readonly fastest: number };

export const throughputOf = ({ offer, need }: Subject): number =>
  offer.gpu === null || need.gpuRequests.length === 0 ? 0 : gpuThroughput(offer.gpu);

/** Half against the budget, half against the cheapest that fits. */
const cost = (rate: Micros, limit: Micros, cheapest: Micros): number => {
  const againstBudget = limit === 0n ? 1 : 1 - ratio(rate, limit);
  const againstCheapest = rate === 0n ? 1 : ratio(cheapest, rate);
  return (againstBudget + againstCheapest) / 2;
};

const geography = ({ need, provider }: Subject): number =>
  need.near === null ? 1 : Math.max(0, 1 - rttMs(need.near, provider.place.location) / WORST_RTT_MS);

/**
 * How little is left in pieces on the machines that are touched: GPUs that stay free beside the group, or, where
 * only CPU is taken, CPU; a CPU-only group on a GPU machine strands GPUs and gets nothing.
 */
const fit = ({ need, offer, free }: Subject, { packed }: Fit): number => {
  if (need.total.gpus === 0 && offer.gpu !== null) return 0;
  const dimension = need.total.gpus > 0 ? 'gpus' : 'cpuMillis';
  const needs = new Map(need.pods.map((pod) => [pod.tag, pod.needs]));
  const taken = new Map<string, Amounts>();
  for (const { tag, node } of packed)
    taken.set(node, plus(taken.get(node) ?? NOTHING, needs.get(tag) ?? NOTHING));
  let left = 0;
  let all = 0;
  for (const node of offer.nodes) {
    const here = taken.get(node.name);
    if (!here || here[dimension] === 0) continue;
    all += node[dimension];
    left += leftOf(
      free.find((one) => one.name === node.name)!,
      here,
    )[dimension];
  }
  return all === 0 ? 1 : 1 - left / all;
};

export const scoreTerms = (subject: Subject, found: Fit, field: Field): ScoreTerms => ({
  cost: cost(found.rateMicrosPerHour, subject.need.limitMicrosPerHour, field.cheapest),
  geography: geography(subject),
  performance: field.fastest === 0 ? 1 : throughputOf(subject) / field.fastest,
  reliability: (WORST_TIER - subject.provider.tier) / (WORST_TIER - 1),
  fit: fit(subject, found),
});

/** Weighted mean of the terms, in [0, 1]; the heavier the work, the more performance weighs. */
export const scoreOf = (terms: ScoreTerms, profile: MatchingProfile, gpus: number): number => {
  const base = PROFILE_WEIGHTS[profile];
  const weights: Weights = { ...base, performance: base.performance * (1 + Math.min(1, gpus / HEAVY_GPUS)) };
  let weighted = 0;
  let total = 0;
  for (const term of Object.keys(weights) as (keyof ScoreTerms)[]) {
    weighted += weights[term] * terms[term];
    total += weights[term];
  }
  return weighted / total;
};
