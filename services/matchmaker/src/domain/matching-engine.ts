/** What matching is made of, for whoever drives it without the service around it: benchmarks do. */
export { type Amounts } from './amounts.ts';
export { amountsByNode, CapacityBook, type NodeFree, unitOf } from './capacity-book.ts';
export { brokenOf } from './constraints.ts';
export { explain } from './explanation.ts';
export { Market, type Offer, type Provider } from './market.ts';
export {
  type Candidate,
  indexedViewOf,
  type MarketView,
  type Match,
  matchOrder,
  rankCandidates,
  viewOf,
} from './matching.ts';
export { pack } from './packing.ts';
export type { OfferId } from '@gridbourse/kernel';
export { type GroupNeed, groupNeeds, type MatchRequest } from './requirements.ts';
export { rateMicrosPerHour } from './pricing.ts';
export { PROFILE_WEIGHTS } from './scoring.ts';
export { surveyed } from './survey/market-survey.ts';
