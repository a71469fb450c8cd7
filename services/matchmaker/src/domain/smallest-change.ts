import type { Change, Try } from './change.ts';
import { groupChanges } from './group-changes.ts';
import { type MarketView, matchOrder } from './matching.ts';
import { orderChanges } from './order-changes.ts';
import type { MatchRequest } from './requirements.ts';
import { surveyed } from './survey/market-survey.ts';

/** Most orders that are tried in the search; what was found until then is the answer. */
const MAX_ATTEMPTS = 1_000;

/**
 * The single change that gives up least and with which the order matches now; every answer has been tried. Waiting
 * for machines that are taken counts as a change too, where that would help.
 */
export const smallestChange = (request: MatchRequest, market: MarketView): Change | null => {
  const view = surveyed(market);
  let attempts = 0;
  const attempt: Try = (changed) => {
    attempts += 1;
    return attempts > MAX_ATTEMPTS ? null : matchOrder(changed, view);
  };
  let best: Change | null = null;
  const consider = (changes: Iterable<Change>): void => {
    for (const change of changes) if (best === null || change.size < best.size) best = change;
  };
  consider(orderChanges(request, view, attempt));
  for (let at = 0; at < request.spec.groups.length; at += 1)
    consider(groupChanges(request, at, view, attempt));
  return best;
};
