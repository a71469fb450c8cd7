import type { AuctionResult, BidTerms, RankedOffer } from '@gridbourse/events';
import { formatUsdc, type Instant, type OfferId, rfc3339 } from '@gridbourse/kernel';
import { type Auction, type Bid, stands } from './auction.ts';
import { ranked } from './candidates.ts';
import { failuresOf, fitOf, type Subject } from './constraints.ts';
import {
  type Candidate,
  type GroupMatch,
  type MarketView,
  type Match,
  rankCandidates,
  sourceOf,
} from './matching.ts';
import type { Verdict } from './private-events.ts';
import { type GroupNeed, groupNeeds, type MatchRequest } from './requirements.ts';
import { surveyed } from './survey/market-survey.ts';
import type { Survey } from './survey/survey.ts';

/** A score is a weighted mean of floating point numbers: a last bit too much is nothing. */
const share = (value: number): number => Math.min(1, Math.max(0, value));

/** The bids of an auction beside the market in which they are judged: a view whose prices are those bids. */
export type Judging = {
  readonly request: MatchRequest;
  readonly auction: Auction;
  readonly view: MarketView;
  /** What the order takes; null when it finds no place. */
  readonly match: Match | null;
  readonly closedAtMs: Instant;
};

type Surveyed = MarketView & { readonly survey: Survey };
type Place = Pick<GroupMatch, 'offerId' | 'providerId' | 'rateMicrosPerHour' | 'score' | 'terms'>;

const placeOf = ({ offer, provider, rateMicrosPerHour, score, terms }: Candidate): Place => ({
  ...{ offerId: offer.offerId, providerId: provider.providerId, rateMicrosPerHour, score, terms },
});

const termsOf = (place: Place, bids: readonly Bid[], group: string): BidTerms => {
  const { offerId, providerId, rateMicrosPerHour } = place;
  const bid = bids.find((one) => one.offerId === offerId && one.group === group);
  return {
    bidId: bid?.bidId ?? null,
    providerId,
    offerId,
    rateMicrosPerHour,
    score: share(place.score),
    terms: Object.fromEntries(Object.entries(place.terms).map(([name, value]) => [name, share(value)])),
  };
};

const groupResult = (
  { request, match, view }: Judging & { readonly view: Surveyed },
  need: GroupNeed,
  bids: readonly Bid[],
): AuctionResult['groups'][number] => {
  const group = need.group.name;
  const winner = match?.groups.find((one) => one.group === group);
  const runnerUp = rankCandidates(request, need, view, 2).find(
    ({ offer }) => offer.offerId !== winner?.offerId,
  );
  return {
    group,
    fitting: view.survey.findingsFor(need, 0).fitting,
    winner: winner ? termsOf(winner, bids, group) : null,
    runnerUp: runnerUp ? termsOf(placeOf(runnerUp), bids, group) : null,
  };
};

const OFFER_GONE = { constraint: 'offer_withdrawn', detail: 'the offer is no longer on the market' };

/** Where the close came so late that the provider no longer stands by it. */
const expired = ({ bidId, validUntilMs }: Bid): Verdict => ({
  bidId,
  score: null,
  failed: [{ constraint: 'bid_expired', detail: `it stood until ${rfc3339(validUntilMs)}` }],
});

/** What each bid for a group is worth among everything that fits the group, or what it fails. */
const verdictsOn = (
  { request, view }: Judging,
  need: GroupNeed,
  bids: readonly Bid[],
  entries: ReadonlyMap<OfferId, Pick<Subject, 'offer' | 'provider'>>,
): Verdict[] => {
  if (bids.length === 0) return [];
  const ranking = sourceOf(view).ranking(request, need);
  return bids.map(({ bidId, offerId }) => {
    const entry = entries.get(offerId);
    if (!entry) return { bidId, score: null, failed: [OFFER_GONE] };
    const subject = { need, ...entry, free: view.free(entry.offer) };
    const fit = ranking && fitOf(subject);
    if (fit) return { bidId, score: share(ranked(ranking, { ...subject, fit }).score), failed: [] };
    return { bidId, score: null, failed: failuresOf(subject).map((failure) => ({ ...failure })) };
  });
};

const countFailures = (verdicts: readonly Verdict[]): AuctionResult['failures'] => {
  const counts = new Map<string, number>();
  for (const { failed } of verdicts) {
    for (const { constraint } of failed) counts.set(constraint, (counts.get(constraint) ?? 0) + 1);
  }
  return [...counts]
    .map(([constraint, failed]) => ({ constraint, failed }))
    .sort((a, b) => b.failed - a.failed || (a.constraint < b.constraint ? -1 : 1));
};

/**
 * What every bid was worth, and how the auction ended, by the score of instant matches. The order in which bids came
 * plays no part. Where the view has a source and a survey, nothing is ranked but the bids and the first two.
 */
export const judge = (judging: Judging): { result: AuctionResult; verdicts: Verdict[] } => {
  const { request, auction, closedAtMs } = judging;
  const view = surveyed(judging.view);
  const standing = auction.bids.filter((bid) => stands(bid, closedAtMs));
  const withBid = new Set(standing.map(({ offerId }) => offerId));
  const entries = new Map<OfferId, Pick<Subject, 'offer' | 'provider'>>();
  let offers = 0;
  for (const entry of view.offers()) {
    offers += 1;
    if (withBid.has(entry.offer.offerId)) entries.set(entry.offer.offerId, entry);
  }
  const needs = groupNeeds(request);
  const verdicts = auction.bids.filter((bid) => !stands(bid, closedAtMs)).map(expired);
  for (const need of needs) {
    const own = standing.filter(({ group }) => group === need.group.name);
    verdicts.push(...verdictsOn(judging, need, own, entries));
  }
  const result: AuctionResult = {
    closesAtMs: auction.closesAtMs,
    closedAtMs,
    bids: auction.bids.length,
    standing: offers - entries.size,
    failures: countFailures(verdicts),
    groups: needs.map((need) => groupResult({ ...judging, view }, need, standing)),
  };
  return { result, verdicts };
};

const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

const side = ({ providerId, rateMicrosPerHour, score }: RankedOffer): string =>
  `${providerId} at ${formatUsdc(rateMicrosPerHour)} USDC/h (score ${score.toFixed(3)})`;

type Ranking = {
  readonly group: string;
  readonly winner: RankedOffer | null;
  readonly runnerUp: RankedOffer | null;
};

/** What a group took, ahead of what; or what would have come first. */
export const groupText = ({ group, winner, runnerUp }: Ranking): string => {
  if (winner) return `${group}: ${side(winner)}${runnerUp ? `, ahead of ${side(runnerUp)}` : ''}`;
  return runnerUp ? `${group}: best was ${side(runnerUp)}` : `${group}: none fits`;
};

/** How an auction ended, in a sentence or two for people. */
export const auctionText = ({ bids, standing, failures, groups }: AuctionResult): string => {
  const failed = failures.map(({ constraint, failed: times }) => `${times} failed ${constraint}`).slice(0, 5);
  const fell = failed.length > 0 ? ` (of the bids, ${failed.join(', ')})` : '';
  const best = groups.map(groupText).join('; ');
  return `The auction closed with ${many(bids, 'sealed bid')} and ${many(standing, 'standing offer')}${fell}. ${best}.`.slice(
    0,
    800,
  );
};
