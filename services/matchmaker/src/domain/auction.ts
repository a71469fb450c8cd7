import type { AuctionResult, OrderEvent } from '@gridbourse/events';
import {
  type BidId,
  conflict,
  DomainError,
  type Instant,
  type LeaseId,
  type Micros,
  type OfferId,
  type OrderId,
  type ProviderId,
  rfc3339,
} from '@gridbourse/kernel';
import type { PrivateOrderEvent, Verdict } from './private-events.ts';

type Of<T extends PrivateOrderEvent['type']> = Extract<PrivateOrderEvent, { type: T }>;
type Matched = Extract<OrderEvent, { type: 'OrderMatched' }>;

/** A provider's answer to an order: so much per hour for one group on one of its offers. */
export type Bid = {
  readonly bidId: BidId;
  readonly providerId: ProviderId;
  readonly offerId: OfferId;
  readonly group: string;
  readonly rateMicrosPerHour: Micros;
  /** How often it was placed: 1, and one more for each time it was replaced. */
  readonly revision: number;
  readonly placedAtMs: Instant;
  /** The provider stands by it until then; afterwards its offer counts with the list price again. */
  readonly validUntilMs: Instant;
  /** Null until the close. */
  readonly verdict: Verdict | null;
  /** The lease that it won, last time it won one; null while it has won none. */
  readonly leaseId: LeaseId | null;
  /** That lease belongs to the present match of the order. */
  readonly holds: boolean;
};

export type Auction = {
  /** No bid is taken from here on, however late the close itself comes. */
  readonly closesAtMs: Instant;
  /** One for each offer and group, in the order in which they first came. */
  readonly bids: readonly Bid[];
  /** Null until the close. */
  readonly result: AuctionResult | null;
};

/**
 * - `sealed`: the window is open
 * - `void`: the order ended while the window was open
 * - `unfit`: at the close it could not be taken
 * - `lost`: it could have been taken, and another was
 * - `won`: a lease on its terms is proposed or beyond
 * - `fallen`: it had won, and its lease came to nothing: declined, not answered, or not funded
 */
export type BidState = 'sealed' | 'void' | 'unfit' | 'lost' | 'won' | 'fallen';

export const bidStateOf = (bid: Bid, orderEnded: boolean): BidState => {
  if (bid.leaseId !== null) return bid.holds ? 'won' : 'fallen';
  if (bid.verdict === null) return orderEnded ? 'void' : 'sealed';
  return bid.verdict.score === null ? 'unfit' : 'lost';
};

/** Its provider is held to it, up to the last moment of its validity. */
export const stands = (bid: Bid, now: Instant): boolean => now <= bid.validUntilMs;

export const openedAuction = (closesAtMs: Instant): Auction => ({ closesAtMs, bids: [], result: null });

export const withBid = (auction: Auction, event: Of<'BidPlaced'>): Auction => {
  const before = auction.bids.find(({ bidId }) => bidId === event.bidId);
  const { type: _, orderId: __, atMs, ...terms } = event;
  const bid: Bid = {
    ...terms,
    placedAtMs: atMs,
    revision: (before?.revision ?? 0) + 1,
    verdict: null,
    leaseId: null,
    holds: false,
  };
  const bids = before ? auction.bids.map((one) => (one === before ? bid : one)) : [...auction.bids, bid];
  return { ...auction, bids };
};

export const withVerdicts = (auction: Auction, { verdicts }: Of<'BidsJudged'>): Auction => {
  const byId = new Map(verdicts.map((verdict) => [verdict.bidId, verdict]));
  return { ...auction, bids: auction.bids.map((bid) => ({ ...bid, verdict: byId.get(bid.bidId) ?? null })) };
};

/** The bids whose terms the new leases have hold them; those of an earlier match no longer do. */
export const withMatch = (auction: Auction, { leases, atMs }: Matched): Auction => ({
  ...auction,
  bids: auction.bids.map((bid) => {
    const lease = leases.find(({ offerId, group }) => offerId === bid.offerId && group === bid.group);
    if (lease && stands(bid, atMs)) return { ...bid, leaseId: lease.leaseId, holds: true };
    return bid.holds ? { ...bid, holds: false } : bid;
  }),
});

export const withoutMatch = (auction: Auction): Auction => ({
  ...auction,
  bids: auction.bids.map((bid) => (bid.holds ? { ...bid, holds: false } : bid)),
});

export type BidLimits = {
  /** Bids on one order, each counted once. */
  readonly maxBidsPerOrder: number;
  /** Bids of one provider on one order, each time it places or replaces one. */
  readonly maxBidsPerProvider: number;
};

export type PlaceBid = Omit<Of<'BidPlaced'>, 'type' | 'orderId'> & { readonly limits: BidLimits };

/** @throws DomainError conflict `not_an_auction`, `auction_closed` (with the time of the close). */
export const checkOpen = (
  orderId: OrderId,
  auction: Auction | null,
  open: boolean,
  now: Instant,
): Auction => {
  if (auction === null) {
    throw conflict('not_an_auction', `order ${orderId} is matched at once: it takes no bids`);
  }
  if (!open || now >= auction.closesAtMs) throw auctionClosed(orderId, auction.closesAtMs);
  return auction;
};

export const auctionClosed = (orderId: string, closesAtMs: Instant): DomainError =>
  conflict(
    'auction_closed',
    `bids on order ${orderId} were taken until ${rfc3339(closesAtMs)}, or until its tenant cancelled it`,
  );

/**
 * What placing a bid on an open auction makes: nothing where the same bid stands already.
 * @throws DomainError exhausted `bids_limit`.
 */
export const decideBid = (orderId: OrderId, auction: Auction, command: PlaceBid): Of<'BidPlaced'>[] => {
  const { limits, ...bid } = command;
  const before = auction.bids.find(({ bidId }) => bidId === bid.bidId);
  if (before?.rateMicrosPerHour === bid.rateMicrosPerHour) return [];
  const own = auction.bids.filter(({ providerId }) => providerId === bid.providerId);
  if (own.reduce((times, { revision }) => times + revision, 0) >= limits.maxBidsPerProvider) {
    throw new DomainError(
      'exhausted',
      'bids_limit',
      `a provider may place or replace ${limits.maxBidsPerProvider} bids on an order`,
    );
  }
  if (!before && auction.bids.length >= limits.maxBidsPerOrder) {
    throw new DomainError('exhausted', 'bids_limit', `an order takes ${limits.maxBidsPerOrder} bids`);
  }
  return [{ type: 'BidPlaced', orderId, ...bid }];
};
