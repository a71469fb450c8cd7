import { deadlineOf, type Lease } from '../lease.ts';
import { isWaiting, type Order, waitsForMoney } from '../order.ts';
import { biddingIsOver, closeBidding } from './bidding.ts';
import { afterFall, lapse } from './falling.ts';
import { fundingRetryAt, giveUpFunding, retryFunding } from './money.ts';
import { rematch } from './rematch.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** Most leases and orders whose time is over that one decision deals with; the rest follow in the next. */
const AT_ONCE = 500;

const seconds = (milliseconds: number): string => `${Math.round(milliseconds / 1_000)} s`;

const endLease = (unit: UnitOfWork, lease: Lease): void => {
  const { leaseId } = lease;
  const { acceptWithinMs, fundWithinMs, refundWithinMs } = unit.policies;
  if (lease.state === 'proposed') {
    lapse(
      unit,
      leaseId,
      'acceptance_timeout',
      `the provider did not answer within ${seconds(acceptWithinMs)}`,
    );
    afterFall(unit, leaseId, { then: 'again' });
  } else if (lease.state === 'accepted') {
    giveUpFunding(unit, leaseId, 'funding_timeout', {
      cause: 'chain_unavailable',
      shortfallMicros: 0n,
      detail: `not funded on chain within ${seconds(fundWithinMs)}`,
    });
  } else {
    const detail = `the chain undid the funding and it did not come back within ${seconds(refundWithinMs)}`;
    unit.tellLease(leaseId, { type: 'Close', reason: 'escrow_exhausted', detail, atMs: unit.now });
    afterFall(unit, leaseId, { then: 'end', reason: 'funding_failed', detail });
  }
};

const endOrRetry = (unit: UnitOfWork, order: Order): void => {
  if (order.expiresAtMs <= unit.now) unit.tellOrder(order.orderId, { type: 'Expire', atMs: unit.now });
  else retryFunding(unit, order);
};

const orderIsDue = (unit: UnitOfWork, order: Order): boolean =>
  order.expiresAtMs <= unit.now || (waitsForMoney(order) && fundingRetryAt(unit, order) <= unit.now);

/** Whether our own clock has anything to do: asked often, so it changes nothing and stops at the first that is due. */
export const anythingDue = (unit: UnitOfWork): boolean => {
  if (unit.exchange.anyLeaseDue(unit.now)) return true;
  if (unit.exchange.biddingOrders().some((order) => biddingIsOver(order, unit.now))) return true;
  return unit.exchange.waitingOrders().some((order) => orderIsDue(unit, order));
};

/** Auctions that were to close first close first. */
const closeAuctions = (unit: UnitOfWork): void => {
  const over = unit.exchange
    .biddingOrders()
    .filter((order) => biddingIsOver(order, unit.now))
    .sort((a, b) => a.auction!.closesAtMs - b.auction!.closesAtMs || (a.orderId < b.orderId ? -1 : 1));
  if (over.length === 0) return;
  // Those who wait come first where capacity has appeared meanwhile.
  if (unit.exchange.rematchPending) rematch(unit);
  for (const order of over.slice(0, AT_ONCE)) closeBidding(unit, order);
};

/** What our own clock ends: auctions, proposals without answer, leases without money, orders without a place. */
export const meetDeadlines = (unit: UnitOfWork): void => {
  const { exchange, now } = unit;
  for (const leaseId of exchange.dueLeases(now, AT_ONCE)) {
    const lease = exchange.lease(leaseId);
    const deadline = lease ? deadlineOf(lease) : null;
    // The end of one of an order may have ended the others.
    if (deadline !== null && deadline < now) endLease(unit, lease!);
  }
  closeAuctions(unit);
  const orders = exchange
    .waitingOrders()
    .filter((order) => orderIsDue(unit, order))
    .slice(0, AT_ONCE);
  for (const { orderId } of orders) {
    const order = exchange.order(orderId);
    if (order && isWaiting(order)) endOrRetry(unit, order);
  }
};
