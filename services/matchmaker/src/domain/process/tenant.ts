import type { OrderSubmitted } from '@gridbourse/events';
import {
  type AccountId,
  conflict,
  DomainError,
  type LeaseId,
  notFound,
  type OrderId,
} from '@gridbourse/kernel';
import { checkDivisible, mostLeases } from '../division/portion.ts';
import { isAlive, type Lease } from '../lease.ts';
import { isEnded, type Order } from '../order.ts';
import type { OrderWarning } from '../private-events.ts';
import { openBidding } from './bidding.ts';
import { afterFall, lapse } from './falling.ts';
import { placeOrExplain } from './placing.ts';
import { rematch } from './rematch.ts';
import type { UnitOfWork } from './unit-of-work.ts';

export type Submission = Omit<OrderSubmitted, 'type' | 'submittedAtMs' | 'mode'> & {
  /** Takes sealed bids for so long before it is matched; absent: matched at once. */
  readonly biddingWindowMs?: number;
  readonly warnings: readonly OrderWarning[];
  readonly requestHash: string;
};

/** @throws DomainError exhausted `open_orders_limit`, `open_leases_limit`. */
const checkLimits = (unit: UnitOfWork, submission: Submission): void => {
  const { maxOpenOrders, maxOpenLeases } = unit.policies;
  const { openOrders, aliveLeases } = unit.exchange.burdenOf(submission.accountId);
  if (openOrders >= maxOpenOrders) {
    throw new DomainError(
      'exhausted',
      'open_orders_limit',
      `an account may have ${maxOpenOrders} open orders`,
    );
  }
  if (aliveLeases + mostLeases(submission.spec) > maxOpenLeases) {
    throw new DomainError(
      'exhausted',
      'open_leases_limit',
      `an account may have ${maxOpenLeases} leases at a time`,
    );
  }
};

/**
 * Puts an order into the book and looks for a place at once, or opens its auction. The same order id again gives the order as it is.
 * @throws DomainError `idempotency_key_reused` for another request under the same id, `auction_not_divisible`,
 * `group_not_divisible`, and the limits of the account.
 */
export const submitOrder = (unit: UnitOfWork, submission: Submission): Order => {
  const known = unit.exchange.order(submission.orderId);
  if (known) return sameRequest(known, submission.requestHash);
  checkDivisible(submission.spec, submission.biddingWindowMs === undefined ? 'instant' : 'auction');
  checkLimits(unit, submission);
  const { biddingWindowMs, ...wishes } = submission;
  if (biddingWindowMs !== undefined) {
    unit.tellOrder(wishes.orderId, { type: 'Submit', ...wishes, mode: 'auction', submittedAtMs: unit.now });
    return openBidding(unit, wishes.orderId, biddingWindowMs);
  }
  // Those who wait come first where capacity has appeared meanwhile.
  if (unit.exchange.rematchPending) rematch(unit);
  const order = unit.tellOrder(wishes.orderId, {
    type: 'Submit',
    ...wishes,
    mode: 'instant',
    submittedAtMs: unit.now,
  });
  placeOrExplain(unit, order);
  return unit.exchange.order(submission.orderId)!;
};

const sameRequest = (order: Order, requestHash: string): Order => {
  if (order.requestHash !== requestHash) {
    throw new DomainError(
      'invalid',
      'idempotency_key_reused',
      'this idempotency key was used for another order',
    );
  }
  return order;
};

/** @throws DomainError not_found for an unknown order and for one of another account. */
export const orderOf = (unit: UnitOfWork, accountId: AccountId, orderId: OrderId): Order => {
  const order = unit.exchange.order(orderId);
  if (!order || order.accountId !== accountId) throw notFound('order', orderId);
  return order;
};

export const leaseOf = (unit: UnitOfWork, accountId: AccountId, leaseId: LeaseId): Lease => {
  const lease = unit.exchange.lease(leaseId);
  if (!lease || lease.accountId !== accountId) throw notFound('lease', leaseId);
  return lease;
};

/**
 * Ends an order from whatever state it is in: unfunded leases lapse, funded ones close. Twice is once.
 * @throws DomainError conflict `order_ended` when nothing of it is left to end.
 */
export const cancelOrder = (unit: UnitOfWork, accountId: AccountId, orderId: OrderId): Order => {
  const order = orderOf(unit, accountId, orderId);
  if (order.state === 'cancelled') return order;
  const alive = unit.exchange.leasesOf(orderId).filter(isAlive);
  if (isEnded(order.state) && alive.length === 0) {
    throw conflict(
      'order_ended',
      `the order is ${order.state} and its leases have ended: there is nothing left to cancel`,
    );
  }
  for (const { leaseId, state } of alive) {
    if (state === 'proposed' || state === 'accepted') {
      lapse(unit, leaseId, 'order_cancelled', 'the tenant cancelled the order');
    } else {
      unit.tellLease(leaseId, {
        type: 'Close',
        reason: 'tenant',
        detail: 'the tenant cancelled the order',
        atMs: unit.now,
      });
    }
  }
  if (!isEnded(order.state)) {
    unit.tellOrder(orderId, {
      type: 'Cancel',
      reason: 'tenant',
      detail: 'cancelled by the tenant',
      atMs: unit.now,
    });
  }
  return unit.exchange.order(orderId)!;
};

/**
 * Ends one lease; one that is not funded yet ends with its order. Twice is once.
 * @throws DomainError conflict `lease_ended` for a lease that was rejected or lapsed.
 */
export const closeLease = (unit: UnitOfWork, accountId: AccountId, leaseId: LeaseId): Lease => {
  const lease = leaseOf(unit, accountId, leaseId);
  switch (lease.state) {
    case 'proposed':
    case 'accepted':
      cancelOrder(unit, accountId, lease.orderId);
      break;
    case 'funded':
    case 'active':
      unit.tellLease(leaseId, {
        type: 'Close',
        reason: 'tenant',
        detail: 'closed by the tenant',
        atMs: unit.now,
      });
      afterFall(unit, leaseId, {
        then: 'end',
        reason: 'tenant',
        detail: 'its lease was closed by the tenant',
      });
      break;
    case 'closing':
    case 'closed':
      break;
    default:
      throw conflict('lease_ended', `the lease is ${lease.state}`);
  }
  return unit.exchange.lease(leaseId)!;
};
