import type { Explanation } from '@gridbourse/events';
import { DomainError, lockMicros, MAX_MICROS, type Micros, type ProviderId } from '@gridbourse/kernel';
import { stands } from '../auction.ts';
import { auctionText } from '../auction-result.ts';
import { withBids } from '../auction-view.ts';
import { rankingOf } from '../contest.ts';
import { explain } from '../explanation.ts';
import type { Lease, LeaseCommand } from '../lease.ts';
import { type Contest, contestOrder, type GroupMatch, type MarketView, type Match } from '../matching.ts';
import type { Order } from '../order.ts';
import type { MatchRequest } from '../requirements.ts';
import type { UnitOfWork } from './unit-of-work.ts';

const declined = (lease: Lease): boolean =>
  lease.state === 'rejected' || (lease.state === 'lapsed' && lease.endReason === 'acceptance_timeout');

/** What matching must know of an order that is in the book: its own wishes, and who has declined it. */
export const requestOf = (order: Order, leases: readonly Lease[]): MatchRequest => ({
  orderId: order.orderId,
  spec: order.spec,
  maxRateMicrosPerHour: order.maxRateMicrosPerHour,
  profile: order.profile,
  ...(order.weights && { weights: order.weights }),
  workload: order.workloadClass,
  near: order.near,
  auction: order.mode === 'auction',
  includeProviders: order.includeProviders,
  excludeProviders: order.excludeProviders,
  declinedBy: [...new Set(leases.filter(declined).map((lease): ProviderId => lease.providerId))],
});

/** What the order is matched against: the market, at the prices that were bid for it and still stand. */
export const viewFor = (unit: Pick<UnitOfWork, 'exchange' | 'now'>, order: Order): MarketView => {
  const standing = order.auction?.bids.filter((bid) => stands(bid, unit.now)) ?? [];
  return withBids(unit.exchange.view, standing);
};

export const locksOf = (match: Match, durationSeconds: number): Micros =>
  match.groups.reduce((sum, group) => sum + lockMicros(group.rateMicrosPerHour, BigInt(durationSeconds)), 0n);

/** @throws DomainError `lock_too_large` when the contract could not hold the amount. */
const propose = (unit: UnitOfWork, order: Order, match: GroupMatch): Lease => {
  const { exchange, now, policies } = unit;
  const leaseId = unit.circumstances.newLeaseId();
  const provider = exchange.market.provider(match.providerId)!;
  const offer = exchange.market.offer(match.offerId)!;
  const lock = lockMicros(match.rateMicrosPerHour, BigInt(order.spec.durationSeconds));
  if (lock > MAX_MICROS)
    throw new DomainError('invalid', 'lock_too_large', 'rate x duration is more than the contract can hold');
  const proposal: LeaseCommand = {
    type: 'Propose',
    leaseId,
    orderId: order.orderId,
    accountId: order.accountId,
    tenantWallet: order.tenantWallet,
    providerId: provider.providerId,
    chainProviderId: provider.chainProviderId!,
    offerId: offer.offerId,
    group: match.portion,
    gpu: offer.gpu,
    part: match.part,
    run: order.spec.run,
    secrets: order.secrets,
    placements: match.placements.map((placement) => ({ ...placement })),
    rateMicrosPerHour: match.rateMicrosPerHour,
    durationSeconds: order.spec.durationSeconds,
    lockMicros: lock,
    listRateMicrosPerHour: match.listRateMicrosPerHour,
    acceptByMs: now + policies.acceptWithinMs,
    proposedAtMs: now,
  };
  if (!offer.policy.autoAccept) return unit.tellLease(leaseId, proposal);
  return unit.tellLease(leaseId, proposal, {
    type: 'Accept',
    by: 'standing_policy',
    fundByMs: now + policies.fundWithinMs,
    atMs: now,
  });
};

const holdAll = (unit: UnitOfWork, order: Order, contest: Contest): void => {
  const { match } = contest;
  const leases = match.groups.map((group) => propose(unit, order, group));
  unit.tellOrder(order.orderId, {
    type: 'Match',
    leases: leases.map(({ leaseId, providerId, offerId, group }) => ({
      leaseId,
      providerId,
      offerId,
      group: group.name,
    })),
    rateMicrosPerHour: match.rateMicrosPerHour,
    ranking: rankingOf(contest),
    atMs: unit.now,
  });
};

/**
 * Looks for a place for the whole order and, where there is one, holds it: one lease for each group, or for each part of
 * a divided one, all in this one decision, or none.
 * @param affordable refuses a match that is known to be beyond the tenant's means
 */
export const tryToPlace = (
  unit: UnitOfWork,
  order: Order,
  affordable: (match: Match) => boolean = () => true,
): 'placed' | 'no_place' | 'not_affordable' => {
  const { exchange } = unit;
  const contest = contestOrder(requestOf(order, exchange.leasesOf(order.orderId)), viewFor(unit, order));
  if (!contest) return 'no_place';
  if (!affordable(contest.match)) return 'not_affordable';
  holdAll(unit, order, contest);
  return 'placed';
};

/**
 * Why the order has no place now. After an auction it begins with how that ended; and unless waiting helps, for which
 * the bids still stand, the smallest change is one of a new order, to which nobody has bid.
 */
export const explainOrder = (unit: Pick<UnitOfWork, 'exchange' | 'now'>, order: Order): Explanation => {
  const { view } = unit.exchange;
  const request = requestOf(order, unit.exchange.leasesOf(order.orderId));
  const seen = viewFor(unit, order);
  const explanation = explain(request, seen);
  const result = order.auction?.result;
  if (!result) return explanation;
  const asItIs = seen === view || explanation.smallestChange?.field === 'wait';
  return {
    ...explanation,
    summary: `${auctionText(result)} ${explanation.summary}`.slice(0, 1_000),
    smallestChange: (asItIs ? explanation : explain(request, view)).smallestChange,
  };
};

/** Places the order, or leaves it in the book with the reason why not; ends it when its time is over. */
export const placeOrExplain = (unit: UnitOfWork, order: Order): void => {
  if (tryToPlace(unit, order) === 'placed') return;
  if (order.expiresAtMs <= unit.now) {
    unit.tellOrder(order.orderId, { type: 'Expire', atMs: unit.now });
    return;
  }
  unit.tellOrder(order.orderId, { type: 'Unmatch', explanation: explainOrder(unit, order), atMs: unit.now });
};
