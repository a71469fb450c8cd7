import type { LeaseId } from '@gridbourse/kernel';
import { explainFunding, type FundingProblem } from '../explanation.ts';
import { hasRun, isAlive, type LapseReason, type Lease } from '../lease.ts';
import { type Order } from '../order.ts';
import { placeOrExplain } from './placing.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** What becomes of an order that has not been fulfilled when one of its leases falls. */
export type Aftermath =
  /** Another place is looked for at once. */
  | { readonly then: 'again' }
  /** Back to the book until there is money. */
  | { readonly then: 'money'; readonly problem: FundingProblem }
  /** It ends. */
  | {
      readonly then: 'end';
      readonly reason: 'tenant' | 'start_failed' | 'funding_failed' | 'operator';
      readonly detail: string;
    };

/** Ends a lease that is not funded yet; its machines are free at once, for nothing ever ran on them. */
export const lapse = (unit: UnitOfWork, leaseId: LeaseId, reason: LapseReason, detail: string): void => {
  unit.tellLease(leaseId, { type: 'Lapse', reason, detail, atMs: unit.now });
  unit.tellLease(leaseId, { type: 'ReleaseCapacity', atMs: unit.now });
};

const nameOf = ({ group, part }: Lease): string =>
  part === null ? `group ${group.name}` : `part ${part.number} of ${part.of} of group ${group.name}`;

/** Leases of a gang live or die together. */
const takeSiblingsDown = (unit: UnitOfWork, order: Order, fallen: Lease): void => {
  for (const leaseId of order.leaseIds) {
    const sibling = unit.exchange.lease(leaseId);
    if (!sibling || leaseId === fallen.leaseId || !isAlive(sibling)) continue;
    const detail = `${nameOf(fallen)} of the same order ended (${fallen.endReason})`;
    if (sibling.state === 'proposed' || sibling.state === 'accepted')
      lapse(unit, leaseId, 'superseded', detail);
    else unit.tellLease(leaseId, { type: 'Close', reason: 'superseded', detail, atMs: unit.now });
  }
};

/** Leaves the order in the book until there is money; ends it when its time is over. */
export const backToTheBook = (unit: UnitOfWork, order: Order, problem: FundingProblem): void => {
  if (order.expiresAtMs <= unit.now) {
    unit.tellOrder(order.orderId, { type: 'Expire', atMs: unit.now });
    return;
  }
  const offers = [...unit.exchange.market.offers()].length;
  unit.tellOrder(order.orderId, {
    type: 'Unmatch',
    explanation: explainFunding(problem, offers),
    atMs: unit.now,
  });
};

/** After a lease has ended before its time: its siblings end too, and its order goes on, waits, or ends. */
export const afterFall = (unit: UnitOfWork, leaseId: LeaseId, aftermath: Aftermath): void => {
  const fallen = unit.exchange.lease(leaseId)!;
  const order = unit.exchange.order(fallen.orderId);
  // A lease of an earlier match has no say any more.
  if (!order || !order.leaseIds.includes(leaseId)) return;
  takeSiblingsDown(unit, order, fallen);
  if (order.state !== 'matched') return;
  switch (aftermath.then) {
    case 'again':
      return placeOrExplain(unit, order);
    case 'money':
      return backToTheBook(unit, order, aftermath.problem);
    case 'end':
      unit.tellOrder(order.orderId, {
        type: 'Cancel',
        reason: aftermath.reason,
        detail: aftermath.detail,
        atMs: unit.now,
      });
  }
};

/** An order is fulfilled once every lease of it has run. */
export const fulfilWhenAllRan = (unit: UnitOfWork, lease: Lease): void => {
  const order = unit.exchange.order(lease.orderId);
  if (!order || order.state !== 'matched' || !order.leaseIds.includes(lease.leaseId)) return;
  if (order.leaseIds.every((id) => hasRun(unit.exchange.lease(id)!))) {
    unit.tellOrder(order.orderId, { type: 'Fulfil', atMs: unit.now });
  }
};
