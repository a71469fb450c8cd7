import type { WorkloadSpec } from '@gridbourse/events';
import { formatUsdc, type Micros } from '@gridbourse/kernel';
import { type Change, single, type Try } from './change.ts';
import { cheapestRate, emptied, type MarketView, matchOrder } from './matching.ts';
import { groupBudget, ratio, scaleBudget } from './pricing.ts';
import { groupNeeds, type MatchRequest } from './requirements.ts';
import { PROFILE_WEIGHTS } from './scoring.ts';
import { durationsOnSale } from './survey/on-sale.ts';

/** More than anything costs: a billion USDC per hour. */
const UNLIMITED: Micros = 10n ** 15n;

/** The same order with another budget, spread over its services as before. */
export const withBudget = (request: MatchRequest, maxRateMicrosPerHour: Micros): MatchRequest => ({
  ...request,
  maxRateMicrosPerHour,
  spec: scaleBudget(request.spec, maxRateMicrosPerHour),
});

/** The budget whose share for each group pays that group's rate. */
const budgetFor = (request: MatchRequest, rates: ReadonlyMap<string, Micros>): Micros => {
  const total = request.spec.groups.reduce((sum, group) => sum + groupBudget(group), 0n);
  let needed = [...rates.values()].reduce((sum, rate) => sum + rate, 0n);
  for (const group of request.spec.groups) {
    const share = groupBudget(group);
    if (share === 0n || total === 0n) continue;
    const scaled = ((rates.get(group.name) ?? 0n) * total + share - 1n) / share;
    if (scaled > needed) needed = scaled;
  }
  return needed;
};

/**
 * The lowest budget that passes, from one that does. Looks just below it first: that is where the lowest mostly is.
 * @param bad a budget that does not pass; what passes with one budget passes with every higher one
 */
const lowestBudget = (bad: Micros, good: Micros, passes: (budget: Micros) => boolean): Micros => {
  let [low, high] = [bad, good];
  for (let step = 1n; high - step > low; step *= 2n) {
    if (!passes(high - step)) {
      low = high - step;
      break;
    }
    high -= step;
  }
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (passes(middle)) high = middle;
    else low = middle;
  }
  return high;
};

/** The lowest budget with which the order matches. */
function* price(request: MatchRequest, view: MarketView, attempt: Try): Generator<Change> {
  const unlimited: MatchRequest = {
    ...withBudget(request, UNLIMITED),
    weights: PROFILE_WEIGHTS.cheapest,
  };
  const match = attempt(unlimited);
  if (!match) return;
  // A divided group has several leases.
  const found = new Map<string, Micros>();
  for (const { group, rateMicrosPerHour } of match.groups) {
    found.set(group, (found.get(group) ?? 0n) + rateMicrosPerHour);
  }
  const cheapest = new Map<string, Micros>();
  for (const need of groupNeeds(unlimited)) {
    const { name } = need.group;
    cheapest.set(name, cheapestRate(unlimited, need, view) ?? found.get(name)!);
  }
  const now = request.maxRateMicrosPerHour;
  const passes = (budget: Micros): boolean => attempt(withBudget(request, budget)) !== null;
  const enough = [budgetFor(request, cheapest), budgetFor(request, found)].find(
    (budget) => budget > now && passes(budget),
  );
  if (enough === undefined) return;
  const needed = lowestBudget(now, enough, passes);
  const [from, to] = [formatUsdc(request.maxRateMicrosPerHour), formatUsdc(needed)];
  yield single(withBudget(request, needed), {
    field: 'maxRateUsdcPerHour',
    from,
    to,
    text: `Pay up to ${to} USDC/h instead of ${from}.`,
    size: request.maxRateMicrosPerHour === 0n ? 2 : ratio(needed, request.maxRateMicrosPerHour) - 1,
  });
}

function* duration(request: MatchRequest, view: MarketView, attempt: Try): Generator<Change> {
  const now = request.spec.durationSeconds;
  const limits = new Set<number>();
  for (const { minDurationSeconds, maxDurationSeconds } of durationsOnSale(view)) {
    if (maxDurationSeconds < now) limits.add(maxDurationSeconds);
    if (minDurationSeconds > now) limits.add(minDurationSeconds);
  }
  const distance = (seconds: number): number => Math.abs(Math.log2(seconds / now));
  const byDistance = [...limits].sort((a, b) => distance(a) - distance(b));
  for (const seconds of byDistance) {
    const spec: WorkloadSpec = { ...request.spec, durationSeconds: seconds };
    const changed = { ...request, spec };
    if (!attempt(changed, distance(seconds))) continue;
    yield single(changed, {
      field: 'durationSeconds',
      from: `${now}`,
      to: `${seconds}`,
      text: `Ask for ${seconds} s instead of ${now} s.`,
      size: distance(seconds),
    });
    return;
  }
}

function* providers(request: MatchRequest, attempt: Try): Generator<Change> {
  if (request.includeProviders.length > 0) {
    const changed = { ...request, includeProviders: [] };
    if (attempt(changed, 0.5)) {
      yield single(changed, {
        field: 'includeProviders',
        from: `${request.includeProviders.length} providers`,
        to: 'any',
        text: 'Do not limit the order to the providers you named.',
        size: 0.5,
      });
    }
  }
  for (const excluded of request.excludeProviders) {
    const changed = {
      ...request,
      excludeProviders: request.excludeProviders.filter((one) => one !== excluded),
    };
    if (!attempt(changed, 0.45)) continue;
    yield single(changed, {
      field: 'excludeProviders',
      from: excluded,
      to: 'not excluded',
      text: `Allow provider ${excluded} again.`,
      size: 0.45,
    });
    return;
  }
}

function* waiting(request: MatchRequest, view: MarketView): Generator<Change> {
  const match = matchOrder(request, emptied(view));
  if (!match) return;
  const offers = [...new Set(match.groups.map(({ offerId }) => offerId))];
  yield {
    field: 'wait',
    from: 'now',
    to: 'when it is free',
    text: `Wait: ${offers.slice(0, 3).join(', ')} would do and ${offers.length === 1 ? 'is' : 'are'} taken now; the order is matched when leases there end.`,
    size: 0.35,
    request,
    waits: true,
  };
}

/** Changes of the order as a whole, and waiting, with which it would match. */
export function* orderChanges(request: MatchRequest, view: MarketView, attempt: Try): Generator<Change> {
  yield* waiting(request, view);
  yield* price(request, view, attempt);
  yield* duration(request, view, attempt);
  yield* providers(request, attempt);
}
