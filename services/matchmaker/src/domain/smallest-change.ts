import type { Change, Try } from './change.ts';
import { groupChanges } from './group-changes.ts';
import { type MarketView, matchOrder, sourceOf } from './matching.ts';
import { orderChanges } from './order-changes.ts';
import type { MatchRequest } from './requirements.ts';
import { surveyed } from './survey/market-survey.ts';

/** Most orders that are tried in the search; what was found until then is the answer. */
const MAX_ATTEMPTS = 1_000;
/** Nothing more is tried once so many offers and boxes have been looked at, about a microsecond each. */
const MAX_LOOKS = 250_000;

/**
 * The single change that gives up least and with which the order matches now; every answer has been tried. Waiting
 * for machines that are taken counts as a change too, where that would help.
 *
 * Costs at most 1,000 attempts, and no further attempt after 250,000 looks: where the market is that large and the order
 * that hard, a smaller change than the one that is told may go unnoticed.
 */
export const smallestChange = (
  request: MatchRequest,
  market: MarketView,
  { maxLooks = MAX_LOOKS }: { readonly maxLooks?: number } = {},
): Change | null => {
  const known = surveyed(market);
  const view: MarketView = { ...known, source: sourceOf(known) };
  const from = sourceOf(view).looks();
  let attempts = 0;
  let best: Change | null = null;
  const attempt: Try = (changed, size = 0) => {
    if (best !== null && size >= best.size) return null;
    attempts += 1;
    if (attempts > MAX_ATTEMPTS || sourceOf(view).looks() - from >= maxLooks) return null;
    return matchOrder(changed, view);
  };
  const consider = (changes: Iterable<Change>): void => {
    for (const change of changes) if (best === null || change.size < best.size) best = change;
  };
  consider(orderChanges(request, view, attempt));
  for (let at = 0; at < request.spec.groups.length; at += 1)
    consider(groupChanges(request, at, view, attempt));
  return best;
};
