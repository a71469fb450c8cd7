import type { AuctionResult, Explanation, OrderEvent, OrderSubmitted } from '@gridbourse/events';
import {
  canMove,
  conflict,
  type Instant,
  type LeaseId,
  type Micros,
  type Transitions,
} from '@gridbourse/kernel';
import {
  type Auction,
  checkOpen,
  decideBid,
  openedAuction,
  type PlaceBid,
  withBid,
  withMatch,
  withoutMatch,
  withVerdicts,
} from './auction.ts';
import { ESCROW_CONSTRAINT } from './explanation.ts';
import type { OrderWarning, PrivateOrderEvent, Verdict } from './private-events.ts';

/** `fulfilled`, `cancelled` and `expired` are terminal; the leases of a fulfilled order have a life of their own. */
export type OrderState =
  'submitted' | 'bidding' | 'unmatched' | 'matched' | 'fulfilled' | 'cancelled' | 'expired';

/** A matched order may be matched again: its provider declined, did not answer in time, or was lost. */
export const ORDER_TRANSITIONS: Transitions<OrderState> = {
  submitted: ['bidding', 'matched', 'unmatched', 'cancelled'],
  bidding: ['matched', 'unmatched', 'cancelled', 'expired'],
  unmatched: ['matched', 'unmatched', 'cancelled', 'expired'],
  matched: ['matched', 'unmatched', 'fulfilled', 'cancelled', 'expired'],
  fulfilled: [],
  cancelled: [],
  expired: [],
};

export type AnyOrderEvent = OrderEvent | PrivateOrderEvent;
type CancelReason = Extract<OrderEvent, { type: 'OrderCancelled' }>['reason'];
type Matched = Extract<OrderEvent, { type: 'OrderMatched' }>;

export type Order = Omit<OrderSubmitted, 'type'> & {
  /** Events so far. */
  readonly version: number;
  readonly state: OrderState;
  /** Leases of the present match; empty while there is none. */
  readonly leaseIds: readonly LeaseId[];
  readonly rateMicrosPerHour: Micros | null;
  /** Why it had to wait, last time it had to; null when it never had to. */
  readonly explanation: Explanation | null;
  /** When it last went back to the book. */
  readonly unmatchedAtMs: Instant | null;
  /** Null for an order that is matched at once. */
  readonly auction: Auction | null;
  readonly endReason: CancelReason | 'expired' | null;
  readonly endDetail: string | null;
  readonly endedAtMs: Instant | null;
  readonly warnings: readonly OrderWarning[];
  readonly requestHash: string;
};

export type OrderCommand =
  | ({
      readonly type: 'Submit';
      readonly warnings: readonly OrderWarning[];
      readonly requestHash: string;
    } & Omit<OrderSubmitted, 'type'>)
  | { readonly type: 'OpenBidding'; readonly closesAtMs: Instant; readonly atMs: Instant }
  | ({ readonly type: 'PlaceBid' } & PlaceBid)
  | { readonly type: 'CloseBidding'; readonly result: AuctionResult; readonly verdicts: readonly Verdict[] }
  | {
      readonly type: 'Match';
      readonly leases: readonly Matched['leases'][number][];
      readonly rateMicrosPerHour: Micros;
      readonly ranking: readonly Matched['ranking'][number][];
      readonly atMs: Instant;
    }
  | { readonly type: 'Unmatch'; readonly explanation: Explanation; readonly atMs: Instant }
  | { readonly type: 'Fulfil'; readonly atMs: Instant }
  | {
      readonly type: 'Cancel';
      readonly reason: CancelReason;
      readonly detail: string;
      readonly atMs: Instant;
    }
  | { readonly type: 'Expire'; readonly atMs: Instant };

export const isEnded = (state: OrderState): boolean => ORDER_TRANSITIONS[state].length === 0;

/** In the book, waiting for capacity or for money. */
export const isWaiting = (order: Order): boolean =>
  order.state === 'unmatched' || order.state === 'submitted';

/** Sealed bids are taken, or wait for the close. */
export const isBidding = (order: Order): boolean =>
  order.state === 'bidding' && order.auction?.result === null;

/** A place was found before, the money was not. */
export const waitsForMoney = (order: Order): boolean =>
  order.state === 'unmatched' && order.explanation?.constraints[0]?.constraint === ESCROW_CONSTRAINT;

const move = (order: Order, to: OrderState, event: AnyOrderEvent): AnyOrderEvent[] =>
  canMove(ORDER_TRANSITIONS, order.state, to) ? [event] : [];

const closeBidding = (
  { result, verdicts }: Extract<OrderCommand, { type: 'CloseBidding' }>,
  order: Order,
): AnyOrderEvent[] => {
  if (!isBidding(order)) return [];
  const { orderId } = order;
  return [
    { type: 'BiddingClosed', orderId, result },
    { type: 'BidsJudged', orderId, verdicts, atMs: result.closedAtMs },
  ];
};

/** Field by field, as `born` is. */
const submitted = (command: Omit<OrderSubmitted, 'type'>): OrderSubmitted => ({
  type: 'OrderSubmitted',
  orderId: command.orderId,
  accountId: command.accountId,
  tenantWallet: command.tenantWallet,
  spec: command.spec,
  secrets: command.secrets,
  maxRateMicrosPerHour: command.maxRateMicrosPerHour,
  profile: command.profile,
  near: command.near,
  includeProviders: command.includeProviders,
  excludeProviders: command.excludeProviders,
  expiresAtMs: command.expiresAtMs,
  submittedAtMs: command.submittedAtMs,
  mode: command.mode,
  weights: command.weights,
  workloadClass: command.workloadClass,
});

/**
 * What a command makes of an order. Ended orders absorb everything; only a tenant's wish to cancel and a bid are
 * answered loudly.
 * @throws DomainError `order_ended` when there is nothing left to cancel; `not_an_auction`, `auction_closed`, `bids_limit`.
 */
export const decideOrder = (command: OrderCommand, order: Order | null): AnyOrderEvent[] => {
  if (order === null) {
    if (command.type !== 'Submit')
      throw conflict('no_such_order', `${command.type} of an order that is not there`);
    const { orderId, warnings, requestHash } = command;
    return [submitted(command), { type: 'OrderAnnotated', orderId, warnings, requestHash }];
  }
  const { orderId } = order;
  switch (command.type) {
    case 'Submit':
      return [];
    case 'OpenBidding':
      return move(order, 'bidding', {
        type: 'BiddingOpened',
        orderId,
        closesAtMs: command.closesAtMs,
        atMs: command.atMs,
      });
    case 'PlaceBid': {
      const { type: _, ...bid } = command;
      return decideBid(orderId, checkOpen(orderId, order.auction, isBidding(order), command.atMs), bid);
    }
    case 'CloseBidding':
      return closeBidding(command, order);
    case 'Match':
      return move(order, 'matched', {
        type: 'OrderMatched',
        orderId,
        leases: [...command.leases],
        rateMicrosPerHour: command.rateMicrosPerHour,
        ranking: [...command.ranking],
        atMs: command.atMs,
      });
    case 'Unmatch':
      return move(order, 'unmatched', {
        type: 'OrderUnmatched',
        orderId,
        explanation: command.explanation,
        atMs: command.atMs,
      });
    case 'Fulfil':
      return move(order, 'fulfilled', { type: 'OrderFulfilled', orderId, atMs: command.atMs });
    case 'Cancel':
      if (order.state === 'cancelled') return [];
      if (command.reason === 'tenant' && isEnded(order.state)) {
        throw conflict('order_ended', `the order is ${order.state}: there is nothing left to cancel`);
      }
      return move(order, 'cancelled', {
        type: 'OrderCancelled',
        orderId,
        reason: command.reason,
        detail: command.detail.slice(0, 500),
        atMs: command.atMs,
      });
    case 'Expire':
      return move(order, 'expired', { type: 'OrderExpired', orderId, atMs: command.atMs });
  }
};

/** Field by field: every order has one made, and an object that is made of the rest of another takes several times as long. */
const born = (event: OrderSubmitted): Order => ({
  orderId: event.orderId,
  accountId: event.accountId,
  tenantWallet: event.tenantWallet,
  spec: event.spec,
  secrets: event.secrets,
  maxRateMicrosPerHour: event.maxRateMicrosPerHour,
  profile: event.profile,
  near: event.near,
  includeProviders: event.includeProviders,
  excludeProviders: event.excludeProviders,
  expiresAtMs: event.expiresAtMs,
  submittedAtMs: event.submittedAtMs,
  mode: event.mode,
  weights: event.weights,
  workloadClass: event.workloadClass,
  version: 1,
  state: 'submitted',
  leaseIds: [],
  rateMicrosPerHour: null,
  explanation: null,
  unmatchedAtMs: null,
  auction: null,
  endReason: null,
  endDetail: null,
  endedAtMs: null,
  warnings: [],
  requestHash: '',
});

const changed = ({ auction }: Order, event: Exclude<AnyOrderEvent, OrderSubmitted>): Partial<Order> => {
  switch (event.type) {
    case 'OrderAnnotated':
      return { warnings: event.warnings, requestHash: event.requestHash };
    case 'BiddingOpened':
      return { state: 'bidding', auction: openedAuction(event.closesAtMs) };
    case 'BidPlaced':
      return { auction: auction && withBid(auction, event) };
    case 'BiddingClosed':
      return { auction: auction && { ...auction, result: event.result } };
    case 'BidsJudged':
      return { auction: auction && withVerdicts(auction, event) };
    case 'OrderMatched':
      return {
        state: 'matched',
        leaseIds: event.leases.map(({ leaseId }) => leaseId),
        rateMicrosPerHour: event.rateMicrosPerHour,
        auction: auction && withMatch(auction, event),
      };
    case 'OrderUnmatched':
      return {
        state: 'unmatched',
        leaseIds: [],
        rateMicrosPerHour: null,
        explanation: event.explanation,
        unmatchedAtMs: event.atMs,
        auction: auction && withoutMatch(auction),
      };
    case 'OrderFulfilled':
      return { state: 'fulfilled' };
    case 'OrderCancelled':
      return { state: 'cancelled', endReason: event.reason, endDetail: event.detail, endedAtMs: event.atMs };
    case 'OrderExpired':
      return {
        state: 'expired',
        endReason: 'expired',
        endDetail: 'found no place in time',
        endedAtMs: event.atMs,
      };
    default:
      return {};
  }
};

export const evolveOrder = (order: Order | null, event: AnyOrderEvent): Order => {
  if (event.type === 'OrderSubmitted') return born(event);
  if (order === null) throw new Error(`${event.type} before OrderSubmitted`);
  return Object.assign({ ...order, version: order.version + 1 }, changed(order, event));
};
