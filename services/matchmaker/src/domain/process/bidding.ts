import {
  type AccountId,
  type BidId,
  conflict,
  formatUsdc,
  type Instant,
  invalid,
  type Micros,
  notFound,
  type OfferId,
  type OrderId,
} from '@gridbourse/kernel';
import { type Bid, checkOpen } from '../auction.ts';
import { judge } from '../auction-result.ts';
import { freeOfCharge } from '../auction-view.ts';
import { failuresOf } from '../constraints.ts';
import type { Offer } from '../market.ts';
import { matchOrder, type MarketView, rankCandidates } from '../matching.ts';
import { isBidding, type Order } from '../order.ts';
import { rateMicrosPerHour } from '../pricing.ts';
import { type GroupNeed, groupNeeds } from '../requirements.ts';
import type { Exchange, Selling } from './exchange.ts';
import { placeOrExplain, requestOf, viewFor } from './placing.ts';
import type { UnitOfWork } from './unit-of-work.ts';

export const openBidding = (unit: UnitOfWork, orderId: OrderId, windowMs: number): Order =>
  unit.tellOrder(orderId, { type: 'OpenBidding', closesAtMs: unit.now + windowMs, atMs: unit.now });

export const biddingIsOver = (order: Order, now: Instant): boolean =>
  isBidding(order) && order.auction!.closesAtMs <= now;

/**
 * Judges the bids and takes the best, or leaves the order in the book with the reason why not. Comes when the window is
 * over, or later where nobody was there to do it: the bids are the same, and the market is the one of that moment.
 */
export const closeBidding = (unit: UnitOfWork, order: Order): void => {
  const request = requestOf(order, unit.exchange.leasesOf(order.orderId));
  const view = viewFor(unit, order);
  const tooLate = order.expiresAtMs <= unit.now;
  const match = tooLate ? null : matchOrder(request, view);
  const judged = judge({ request, auction: order.auction!, view, match, closedAtMs: unit.now });
  const closed = unit.tellOrder(order.orderId, { type: 'CloseBidding', ...judged });
  if (tooLate) unit.tellOrder(order.orderId, { type: 'Expire', atMs: unit.now });
  else placeOrExplain(unit, closed);
};

export type BidRequest = {
  readonly orderId: OrderId;
  readonly offerId: OfferId;
  /** May be left out where the order has one group. */
  readonly group: string | null;
  readonly rateMicrosPerHour: Micros;
};

/** @throws DomainError not_found for an offer of others; conflict `offer_withdrawn`, `provider_…` for one that cannot be matched now. */
const bidderOf = (unit: UnitOfWork, accountId: AccountId, offerId: OfferId): Selling => {
  const { market } = unit.exchange;
  const offer = market.offer(offerId);
  const provider = offer && market.provider(offer.providerId);
  if (!offer || provider?.accountId !== accountId) throw notFound('offer', offerId);
  if (offer.withdrawn) throw conflict('offer_withdrawn', `offer ${offerId} is withdrawn`);
  if (provider.suspended) throw conflict('provider_suspended', 'a suspended provider cannot bid');
  if (!provider.activated || provider.chainProviderId === null) {
    throw conflict('provider_not_active', 'the stake of the provider is below the minimum');
  }
  if (provider.presence !== 'online') {
    throw conflict('provider_not_online', `the provider is ${provider.presence}: it must be online to bid`);
  }
  return { offer, provider };
};

/** @throws DomainError invalid `unknown_group`. */
const needOf = (order: Order, name: string | null): GroupNeed => {
  const needs = groupNeeds(requestOf(order, []));
  const found =
    name === null && needs.length === 1 ? needs[0] : needs.find(({ group }) => group.name === name);
  if (found) return found;
  const names = needs.map(({ group }) => group.name).join(', ');
  throw invalid('unknown_group', `a bid is for one group of the order: ${names}`.slice(0, 300), [
    { pointer: '/group', message: 'expected the name of a group of the order' },
  ]);
};

/** @throws DomainError invalid `bid_above_budget`, `offer_does_not_fit` with each constraint that fails. */
const checkBid = ({ offer, provider }: Selling, need: GroupNeed, bidMicros: Micros): void => {
  if (bidMicros < 1n) {
    throw invalid('bid_too_low', 'a bid is at least 0.000001 USDC/h', [
      { pointer: '/rateUsdcPerHour', message: 'expected more than 0' },
    ]);
  }
  if (bidMicros > need.limitMicrosPerHour) {
    const limit = formatUsdc(need.limitMicrosPerHour);
    throw invalid('bid_above_budget', `the order pays at most ${limit} USDC/h for this group`, [
      { pointer: '/rateUsdcPerHour', message: `expected at most ${limit}` },
    ]);
  }
  const price = { ...offer.price, bids: new Map([[need.group.name, bidMicros]]) };
  // Machines that are taken now may be free when the window closes.
  const failures = failuresOf({ need, offer: { ...offer, price }, provider, free: offer.nodes });
  if (failures.length === 0) return;
  throw invalid(
    'offer_does_not_fit',
    `offer ${offer.offerId} fails ${failures.map(({ constraint }) => constraint).join(', ')}`,
    failures.map(({ constraint, detail }) => ({ pointer: '/offerId', message: `${constraint}: ${detail}` })),
  );
};

/**
 * Places a sealed bid, or replaces the one that the offer has for the group. The same bid again changes nothing.
 * @param bidIdOf names the bid of an offer for a group of an order, always alike
 * @throws DomainError not_found for an unknown order and for an offer of others; conflict `not_an_auction`,
 * `auction_closed`, `offer_withdrawn`, `provider_suspended`, `provider_not_active`, `provider_not_online`; invalid
 * `unknown_group`, `bid_too_low`, `bid_above_budget`, `offer_does_not_fit`; exhausted `bids_limit`
 */
export const placeBid = (
  unit: UnitOfWork,
  accountId: AccountId,
  request: BidRequest,
  bidIdOf: (orderId: OrderId, offerId: OfferId, group: string) => BidId,
): Bid => {
  const { orderId, offerId } = request;
  const order = unit.exchange.order(orderId);
  if (!order) throw notFound('order', orderId);
  const auction = checkOpen(orderId, order.auction, isBidding(order), unit.now);
  const bidder = bidderOf(unit, accountId, offerId);
  const need = needOf(order, request.group);
  checkBid(bidder, need, request.rateMicrosPerHour);
  const bidId = bidIdOf(orderId, offerId, need.group.name);
  const after = unit.tellOrder(orderId, {
    type: 'PlaceBid',
    bidId,
    providerId: bidder.provider.providerId,
    offerId,
    group: need.group.name,
    rateMicrosPerHour: request.rateMicrosPerHour,
    validUntilMs: auction.closesAtMs + unit.policies.bidValidMs,
    atMs: unit.now,
    limits: unit.policies,
  });
  return after.auction!.bids.find((bid) => bid.bidId === bidId)!;
};

/** An auction as a provider sees it: the groups that it could serve, with which offer, and what it has bid itself. */
export type OpenAuction = {
  readonly order: Order;
  readonly closesAtMs: Instant;
  readonly groups: readonly {
    readonly need: GroupNeed;
    readonly offers: readonly {
      readonly offer: Offer;
      /** What its price list asks for the group, micro-USDC per hour; it may be above the limit. */
      readonly listRateMicrosPerHour: Micros;
      readonly bid: Bid | null;
    }[];
  }[];
};

const viewOfOffers = (offers: readonly Selling[]): MarketView => ({
  offers: () => offers,
  free: (offer) => offer.nodes,
});

/** Auctions that take bids now and that an offer of the account could serve, the first to close first. */
export const openAuctionsFor = (exchange: Exchange, accountId: AccountId, now: Instant): OpenAuction[] => {
  const own = exchange.sellingOf(accountId);
  if (own.length === 0) return [];
  const view = freeOfCharge(viewOfOffers(own));
  return exchange
    .biddingOrders()
    .filter((order) => !biddingIsOver(order, now))
    .map((order) => openAuction(order, view, exchange))
    .filter(({ groups }) => groups.length > 0)
    .sort((a, b) => a.closesAtMs - b.closesAtMs || (a.order.orderId < b.order.orderId ? -1 : 1));
};

const openAuction = (order: Order, view: MarketView, { market }: Exchange): OpenAuction => {
  const request = requestOf(order, []);
  const { bids, closesAtMs } = order.auction!;
  const groups = groupNeeds(request).map((need) => ({
    need,
    offers: rankCandidates(request, need, view).map((candidate) => {
      const offer = market.offer(candidate.offer.offerId)!;
      const isIts = (bid: Bid): boolean => bid.offerId === offer.offerId && bid.group === need.group.name;
      return {
        offer,
        listRateMicrosPerHour: rateMicrosPerHour(offer.price, need.total),
        bid: bids.find(isIts) ?? null,
      };
    }),
  }));
  return { order, closesAtMs, groups: groups.filter(({ offers }) => offers.length > 0) };
};
