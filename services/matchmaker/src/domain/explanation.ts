import type { Explanation } from '@gridbourse/events';
import { formatUsdc, type Micros } from '@gridbourse/kernel';
import { CONSTRAINTS, type Constraint, failuresOf } from './constraints.ts';
import { mostParts } from './division/portion.ts';
import { askedInWords } from './gpu-sharing.ts';
import { cheapestRate, type MarketView } from './matching.ts';
import { type GroupNeed, groupNeeds, type MatchRequest } from './requirements.ts';
import { smallestChange } from './smallest-change.ts';
import { surveyed } from './survey/market-survey.ts';
import type { Findings } from './survey/survey.ts';

const MAX_NEAREST = 5;

const anyOf = (words: readonly string[]): string =>
  words.length <= 1 ? (words[0] ?? 'any') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

const EXPECTED: Readonly<Record<Constraint, (need: GroupNeed) => string>> = {
  provider_active: () => 'a provider with its stake in place and not suspended',
  provider_online: () => 'a provider whose heartbeats arrive',
  provider_included: (need) => `one of the ${need.include.size} providers you named`,
  provider_excluded: () => 'a provider that you did not exclude',
  provider_declined: () => 'a provider that has not declined this order',
  tier: (need) => `tier ${need.group.tierFloor} or better`,
  region: (need) => `region ${anyOf(need.group.regions)}`,
  attributes: (need) =>
    Object.entries(need.group.attributes)
      .map(([key, value]) => `${key}: ${value}`)
      .join(', '),
  duration: (need) => `takes leases of ${need.durationSeconds} s`,
  storage_class: (need) => `storage class ${need.storageClasses.join(' and ')}`,
  interconnect: (need) => {
    const { interconnect } = need.group;
    return interconnect === null ? 'any network' : `${interconnect} or faster between machines`;
  },
  gpu_vendor: (need) => `GPUs of ${anyOf([...new Set(need.gpuRequests.map((request) => request.vendor))])}`,
  gpu_model: (need) =>
    `GPU ${anyOf([...new Set(need.gpuRequests.flatMap(({ models }) => models.map((entry) => entry.model)))])}`,
  gpu_vram: (need) =>
    `at least ${Math.min(...need.gpuRequests.flatMap(({ models }) => models.flatMap((m) => m.vramMiB ?? [])))} MiB of VRAM`,
  gpu_interface: (need) =>
    `interface ${anyOf([...new Set(need.gpuRequests.flatMap(({ models }) => models.flatMap((m) => m.interface ?? [])))])}`,
  gpu_sharing: (need) => [...new Set(need.gpuRequests.map(askedInWords))].join(' and '),
  gpu_count: (need) =>
    `${Math.max(...need.pods.map((pod) => pod.needs.gpus))} GPUs in one machine, ${need.total.gpus} in all`,
  cpu: (need) =>
    `${Math.max(...need.pods.map((pod) => pod.needs.cpuMillis))}m of CPU in one machine, ${need.total.cpuMillis}m in all`,
  memory: (need) =>
    `${Math.max(...need.pods.map((pod) => pod.needs.memoryMiB))} MiB of memory in one machine, ${need.total.memoryMiB} MiB in all`,
  storage: (need) =>
    `${Math.max(...need.pods.map((pod) => pod.needs.storageMiB))} MiB of storage in one machine, ${need.total.storageMiB} MiB in all`,
  machines: (need) => `machines that hold ${need.pods.length} replicas at once`,
  price: (need) => `at most ${formatUsdc(need.limitMicrosPerHour)} USDC/h`,
  capacity: () => 'enough of it free now',
};

const constraintsOf = (need: GroupNeed, { failed }: Findings): Explanation['constraints'] =>
  [...failed]
    .sort(([a, m], [b, n]) => n - m || CONSTRAINTS.indexOf(a) - CONSTRAINTS.indexOf(b))
    .map(([constraint, count]) => ({
      constraint,
      failed: count,
      expected: EXPECTED[constraint](need).slice(0, 300),
    }));

const nearestOffers = ({ nearest }: Findings): Explanation['nearest'] =>
  nearest.map((subject) => ({
    offerId: subject.offer.offerId,
    providerId: subject.provider.providerId,
    failed: failuresOf(subject),
  }));

const summaryOf = (
  group: string | null,
  offers: number,
  constraints: Explanation['constraints'],
  parts: number,
): string => {
  if (offers === 0) return 'There are no offers on the market.';
  const whole = group === null ? 'the order' : `group ${group}`;
  const about = parts > 1 ? `${whole}, nor divided over up to ${parts} providers of one region` : whole;
  const main = constraints
    .slice(0, 3)
    .map(({ constraint, failed, expected }) => `${failed} fail ${constraint} (${expected})`);
  return `None of ${offers} offers fits ${about}: ${main.join('; ')}.`.slice(0, 1_000);
};

/**
 * Why the order found no place: what each offer fails, the offers that fail least, and the smallest single change of
 * the order that would match now.
 */
export const explain = (request: MatchRequest, market: MarketView): Explanation => {
  const view = surveyed(market);
  const needs = groupNeeds(request);
  const change = smallestChange(request, view);
  const shown = change && {
    field: change.field.slice(0, 120),
    from: change.from.slice(0, 200),
    to: change.to.slice(0, 200),
    text: change.text.slice(0, 300),
  };
  const blocked = needs.find((need) => cheapestRate(request, need, view) === null);
  const need = blocked ?? needs[0]!;
  const findings = view.survey.findingsFor(need, MAX_NEAREST);
  const offersConsidered = findings.offers;
  const nearest = nearestOffers(findings);
  if (!blocked) {
    return {
      summary: `Each of the ${needs.length} groups finds offers alone, but not all of them together: they start together or not at all.`,
      offersConsidered,
      constraints: [
        {
          constraint: 'together',
          failed: offersConsidered,
          expected: `room and budget for all ${needs.length} groups at once`,
        },
      ],
      nearest,
      smallestChange: shown,
    };
  }
  const constraints = constraintsOf(need, findings);
  return {
    summary: summaryOf(
      needs.length > 1 ? need.group.name : null,
      offersConsidered,
      constraints,
      mostParts(need.group),
    ),
    offersConsidered,
    constraints,
    nearest,
    smallestChange: shown,
  };
};

export type FundingProblem = {
  readonly cause: 'insufficient_escrow' | 'spending_limit' | 'rejected_by_contract' | 'chain_unavailable';
  readonly shortfallMicros: Micros;
  readonly detail: string;
};

/** The constraint that says: a place was found, the money was not. */
export const ESCROW_CONSTRAINT = 'escrow';

const FUNDING_TEXT: Readonly<Record<FundingProblem['cause'], (problem: FundingProblem) => string>> = {
  insufficient_escrow: ({ shortfallMicros }) =>
    `the escrow is short of ${formatUsdc(shortfallMicros)} USDC; deposit it and the order is matched again`,
  spending_limit: () =>
    'your spending limit on chain does not allow it; raise it and the order is matched again',
  rejected_by_contract: () => 'the contract refused the lease; it is tried again later',
  chain_unavailable: () => 'the chain could not be reached; it is tried again later',
};

/** A place was found, and the lease could not be funded. */
export const explainFunding = (problem: FundingProblem, offersConsidered: number): Explanation => {
  const text = FUNDING_TEXT[problem.cause](problem);
  const byDeposit = problem.cause === 'insufficient_escrow';
  return {
    summary: `An offer fits, but the lease could not be funded: ${text}. ${problem.detail}`.slice(0, 1_000),
    offersConsidered,
    constraints: [{ constraint: ESCROW_CONSTRAINT, failed: 1, expected: text }],
    nearest: [],
    smallestChange: byDeposit
      ? {
          field: 'escrow.free',
          from: 'as it is',
          to: `${formatUsdc(problem.shortfallMicros)} USDC more`,
          text: `Deposit ${formatUsdc(problem.shortfallMicros)} USDC.`,
        }
      : null,
  };
};
