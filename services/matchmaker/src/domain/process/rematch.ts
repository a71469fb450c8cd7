import type { AccountId, Instant, OrderId } from '@gridbourse/kernel';
import { isWaiting, type Order, waitsForMoney } from '../order.ts';
import { tryToPlace } from './placing.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** An order stands behind those of others as if it had come so much later for each older order of its own account. */
const FAIRNESS_STEP_MS = 30_000;

const olderFirst = (a: Order, b: Order): number =>
  a.submittedAtMs - b.submittedAtMs || (a.orderId < b.orderId ? -1 : 1);

/**
 * The queue of those who wait: first come, first served, except that an order is put back a little for each older order of
 * its account that waits or still holds machines, so that one tenant's hundred orders do not shut out another's only one,
 * nor a tenant with many machines one with none. The longer an order waits, the less the put-back weighs: nobody who comes
 * later than that stands before it.
 * @param liveOf orders of an account that are not over, waiting or not; without it those that wait
 */
export const inFairOrder = (
  waiting: readonly Order[],
  liveOf: (accountId: AccountId) => readonly Order[] = (accountId) =>
    waiting.filter((order) => order.accountId === accountId),
): Order[] => {
  const ahead = new Map<OrderId, number>();
  for (const accountId of new Set(waiting.map((order) => order.accountId))) {
    [...liveOf(accountId)].sort(olderFirst).forEach(({ orderId }, older) => ahead.set(orderId, older));
  }
  const standing = (order: Order): Instant =>
    order.submittedAtMs + (ahead.get(order.orderId) ?? 0) * FAIRNESS_STEP_MS;
  return waiting
    .map((order): [Order, Instant] => [order, standing(order)])
    .sort(([a, m], [b, n]) => m - n || olderFirst(a, b))
    .map(([order]) => order);
};

const isCandidate = (unit: UnitOfWork, order: Order): boolean =>
  isWaiting(order) && !waitsForMoney(order) && order.expiresAtMs > unit.now;

/**
 * Tries orders that wait for capacity, in fair order, so many at a time; what is left of the round comes with the next
 * call. Those that still find no place keep the explanation they have: asking for it gives a fresh one.
 */
export const rematch = (unit: UnitOfWork): { tried: number; placed: number } => {
  const { exchange } = unit;
  const { rematchWanted, rematchQueue } = exchange;
  unit.onRollback(() => Object.assign(exchange, { rematchWanted, rematchQueue }));
  if (rematchQueue.length === 0 && rematchWanted) {
    const waiting = exchange.waitingOrders().filter((order) => isCandidate(unit, order));
    const queue = inFairOrder(waiting, (accountId) => exchange.ordersOf(accountId));
    exchange.rematchQueue = queue.map((order) => order.orderId);
    exchange.rematchWanted = false;
  }
  const now = exchange.rematchQueue.slice(0, unit.policies.rematchAtOnce);
  exchange.rematchQueue = exchange.rematchQueue.slice(now.length);
  let placed = 0;
  for (const orderId of now) {
    const order = exchange.order(orderId);
    if (order && isCandidate(unit, order) && tryToPlace(unit, order) === 'placed') placed += 1;
  }
  return { tried: now.length, placed };
};
