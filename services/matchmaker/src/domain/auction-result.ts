import type { AuctionResult, BidTerms, RankedOffer } from '@gridbourse/events';
import { formatUsdc, type Instant, type OfferId, rfc3339 } from '@gridbourse/kernel';
import { type Auction, type Bid, stands } from './auction.ts';
import { failuresOf, type Subject } from './constraints.ts';
import { type Candidate, type MarketView, type Match, rankCandidates } from './matching.ts';
import type { Verdict } from './private-events.ts';
import { type GroupNeed, groupNeeds, type MatchRequest } from './requirements.ts';

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

const termsOf = (candidate: Candidate, bids: readonly Bid[], group: string): BidTerms => {
  const { offerId } = candidate.offer;
  const bid = bids.find((one) => one.offerId === offerId && one.group === group);
  return {
    bidId: bid?.bidId ?? null,
    providerId: candidate.provider.providerId,
    offerId,
    rateMicrosPerHour: candidate.rateMicrosPerHour,
    score: share(candidate.score),
    terms: Object.fromEntries(Object.entries(candidate.terms).map(([name, value]) => [name, share(value)])),
  };
};

const groupResult = (
  need: GroupNeed,
  ranked: readonly Candidate[],
  bids: readonly Bid[],
  match: Match | null,
): AuctionResult['groups'][number] => {
  const group = need.group.name;
  const taken = match?.groups.find((one) => one.group === group)?.offerId;
  const winner = ranked.find(({ offer }) => offer.offerId === taken);
  const runnerUp = ranked.find((candidate) => candidate !== winner);
  return {
    group,
    fitting: ranked.length,
    winner: winner ? termsOf(winner, bids, group) : null,
    runnerUp: runnerUp ? termsOf(runnerUp, bids, group) : null,
  };
};

const OFFER_GONE = { constraint: 'offer_withdrawn', detail: 'the offer is no longer on the market' };

/** Where the close came so late that the provider no longer stands by it. */
const expired = ({ bidId, validUntilMs }: Bid): Verdict => ({
  bidId,
  score: null,
  failed: [{ constraint: 'bid_expired', detail: `it stood until ${rfc3339(validUntilMs)}` }],
});

const verdictOn = (
  bid: Bid,
  need: GroupNeed,
  candidate: Candidate | undefined,
  entry: Pick<Subject, 'offer' | 'provider'> | undefined,
  view: MarketView,
): Verdict => {
  if (candidate) return { bidId: bid.bidId, score: share(candidate.score), failed: [] };
  const failed = entry
    ? failuresOf({ need, ...entry, free: view.free(entry.offer) }).map((failure) => ({ ...failure }))
    : [OFFER_GONE];
  return { bidId: bid.bidId, score: null, failed };
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
 * plays no part. Costs one ranking of the market for each group.
 */
export const judge = (judging: Judging): { result: AuctionResult; verdicts: Verdict[] } => {
  const { request, auction, view, match, closedAtMs } = judging;
  const standing = auction.bids.filter((bid) => stands(bid, closedAtMs));
  const entries = new Map([...view.offers()].map((entry) => [entry.offer.offerId, entry]));
  const verdicts = auction.bids.filter((bid) => !stands(bid, closedAtMs)).map(expired);
  const groups = groupNeeds(request).map((need) => {
    const ranked = rankCandidates(request, need, view);
    const byOffer = new Map<OfferId, Candidate>(ranked.map((one) => [one.offer.offerId, one]));
    for (const bid of standing) {
      if (bid.group !== need.group.name) continue;
      verdicts.push(verdictOn(bid, need, byOffer.get(bid.offerId), entries.get(bid.offerId), view));
    }
    return groupResult(need, ranked, standing, match);
  });
  const withBid = new Set(standing.map(({ offerId }) => offerId));
  const result: AuctionResult = {
    closesAtMs: auction.closesAtMs,
    closedAtMs,
    bids: auction.bids.length,
    standing: [...entries.keys()].filter((offerId) => !withBid.has(offerId)).length,
    failures: countFailures(verdicts),
    groups,
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
