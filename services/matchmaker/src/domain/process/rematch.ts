import type { AccountId, Instant } from '@gridbourse/kernel';
import { isWaiting, type Order, waitsForMoney } from '../order.ts';
import { tryToPlace } from './placing.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** Each further order of the same account stands behind those of others as if it had come so much later. */
const FAIRNESS_STEP_MS = 30_000;

/**
 * The queue of those who wait: first come, first served, except that an account's second, third, … order is put back a
 * little, so that one tenant's hundred orders do not shut out another's only one. The longer an order waits, the less
 * the put-back weighs.
 */
export const inFairOrder = (waiting: readonly Order[]): Order[] => {
  const byAge = [...waiting].sort(
    (a, b) => a.submittedAtMs - b.submittedAtMs || (a.orderId < b.orderId ? -1 : 1),
  );
  const seen = new Map<AccountId, number>();
  const ranked = byAge.map((order): [Order, Instant] => {
    const ahead = seen.get(order.accountId) ?? 0;
    seen.set(order.accountId, ahead + 1);
    return [order, order.submittedAtMs + ahead * FAIRNESS_STEP_MS];
  });
  return ranked.sort(([a, m], [b, n]) => m - n || (a.orderId < b.orderId ? -1 : 1)).map(([order]) => order);
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
    exchange.rematchQueue = inFairOrder(waiting).map((order) => order.orderId);
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
