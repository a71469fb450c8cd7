import type { BillingEvent, ChainLog } from '@gridbourse/events';
import type { Instant, LeaseId } from '@gridbourse/kernel';
import type { FundingProblem } from '../explanation.ts';
import type { Lease } from '../lease.ts';
import { type Order, waitsForMoney } from '../order.ts';
import { afterFall, backToTheBook, lapse } from './falling.ts';
import { locksOf, placeOrExplain, tryToPlace } from './placing.ts';
import { inFairOrder } from './rematch.ts';
import type { UnitOfWork } from './unit-of-work.ts';

type LeaseOpened = Extract<ChainLog, { name: 'LeaseOpened' }>;
type LeaseStopped = Extract<ChainLog, { name: 'LeaseStopped' }>;
type Of<T extends BillingEvent['type']> = Extract<BillingEvent, { type: T }>;

const MAX_RETRY_MS = 600_000;

/**
 * The chain has locked the tenant's money for a lease. A lease that was given up meanwhile stays given up: billing has
 * heard so, and closes it on chain.
 * @returns `terms_differ` when the chain's lease is not the one that was agreed: it is not taken for funded.
 */
export const hearOfOpening = (
  unit: UnitOfWork,
  log: LeaseOpened,
): 'funded' | 'not_ours' | 'no_change' | 'terms_differ' => {
  const lease = unit.exchange.leaseByReference(log.leaseRef);
  if (!lease) return 'not_ours';
  const agreed =
    lease.tenantWallet === log.tenant &&
    lease.chainProviderId === log.chainProviderId &&
    lease.rateMicrosPerHour === log.rateMicrosPerHour &&
    lease.lockMicros === log.lockMicros;
  if (!agreed) return 'terms_differ';
  const after = unit.tellLease(lease.leaseId, { type: 'Fund', chainLeaseKey: log.leaseKey, atMs: unit.now });
  return after === lease ? 'no_change' : 'funded';
};

/** The block with the opening is gone. Nothing is concluded yet: the same transaction usually comes again. */
export const hearOfRetraction = (unit: UnitOfWork, log: LeaseOpened): void => {
  const lease = unit.exchange.leaseByReference(log.leaseRef);
  if (!lease || lease.chainLeaseKey !== log.leaseKey) return;
  unit.tellLease(lease.leaseId, {
    type: 'RetractFunding',
    refundByMs: unit.now + unit.policies.refundWithinMs,
    atMs: unit.now,
  });
};

/** Gives up a lease that could not be funded; its order waits for money. */
export const giveUpFunding = (
  unit: UnitOfWork,
  leaseId: LeaseId,
  reason: 'funding_failed' | 'funding_timeout',
  problem: FundingProblem,
): void => {
  lapse(unit, leaseId, reason, `${problem.cause}: ${problem.detail}`);
  afterFall(unit, leaseId, { then: 'money', problem });
};

/** A failure that is older than the last word on the tenant's money may be cured already. */
export const hearOfFundingFailure = (unit: UnitOfWork, event: Of<'LeaseFundingFailed'>): void => {
  const lease = unit.exchange.lease(event.leaseId);
  if (lease?.state !== 'accepted') return;
  giveUpFunding(unit, event.leaseId, 'funding_failed', event);
  const balance = unit.exchange.balance(lease.accountId);
  const order = unit.exchange.order(lease.orderId);
  if (
    event.cause === 'insufficient_escrow' &&
    balance &&
    balance.atMs > event.atMs &&
    order &&
    waitsForMoney(order)
  ) {
    retryFunding(unit, order);
  }
};

const firstFundingFailureAt = (leases: readonly Lease[]): Instant =>
  Math.min(
    ...leases
      .filter((lease) => lease.endReason === 'funding_failed' || lease.endReason === 'funding_timeout')
      .map((lease) => lease.endingAtMs ?? Infinity),
  );

/**
 * When an order that waits for money is tried again by our own clock: after as long as it has been in trouble already,
 * so that the pauses double, up to ten minutes.
 */
export const fundingRetryAt = (unit: UnitOfWork, order: Order): Instant => {
  const since = order.unmatchedAtMs ?? order.submittedAtMs;
  const trouble = since - Math.min(since, firstFundingFailureAt(unit.exchange.leasesOf(order.orderId)));
  return since + Math.min(MAX_RETRY_MS, Math.max(unit.policies.fundingRetryMs, trouble));
};

/**
 * Tries an order that waits for money again. Where the last word on the tenant's free money says that it still does not
 * reach, the order keeps waiting and says by how much (not when `quiet`: on every small movement of money).
 */
export const retryFunding = (unit: UnitOfWork, order: Order, options: { quiet?: boolean } = {}): void => {
  const { exchange } = unit;
  let shortfallMicros = 0n;
  const result = tryToPlace(unit, order, (match) => {
    const balance = exchange.balance(order.accountId);
    if (!balance) return true;
    const locks =
      locksOf(match, order.spec.durationSeconds) + exchange.burdenOf(order.accountId).pendingLockMicros;
    shortfallMicros = locks - balance.freeMicros;
    return shortfallMicros <= 0n;
  });
  if (result === 'no_place') return placeOrExplain(unit, order);
  if (result === 'not_affordable' && options.quiet !== true) {
    const problem = { cause: 'insufficient_escrow', shortfallMicros, detail: '' } as const;
    backToTheBook(unit, order, problem);
  }
};

export const hearOfEscrow = (unit: UnitOfWork, event: Of<'EscrowChanged'>): 'old' | 'noted' => {
  const { exchange } = unit;
  const before = exchange.balance(event.accountId);
  if (before && before.atMs > event.atMs) return 'old';
  exchange.putBalance(event.accountId, { freeMicros: event.freeMicros, atMs: event.atMs });
  unit.onRollback(() => exchange.putBalance(event.accountId, before));
  for (const order of inFairOrder(exchange.ordersOf(event.accountId).filter(waitsForMoney))) {
    retryFunding(unit, order, { quiet: true });
  }
  return 'noted';
};

/** A tenant has changed what the contract lets the operator lock. */
export const hearOfSpendingLimit = (unit: UnitOfWork, tenantWallet: string): void => {
  const orders = unit.exchange
    .waitingOrders()
    .filter((order) => order.tenantWallet === tenantWallet && waitsForMoney(order));
  for (const order of inFairOrder(orders)) retryFunding(unit, order);
};

export const hearOfExhaustion = (unit: UnitOfWork, event: Of<'EscrowExhausted'>): void => {
  const lease = unit.exchange.lease(event.leaseId);
  if (lease?.state !== 'funded' && lease?.state !== 'active') return;
  const detail = 'everything that was locked is used up';
  unit.tellLease(lease.leaseId, { type: 'Close', reason: 'escrow_exhausted', detail, atMs: unit.now });
  afterFall(unit, lease.leaseId, { then: 'end', reason: 'funding_failed', detail });
};

/**
 * Tenant or provider has stopped the lease on chain: what it may still earn is bounded there, so it ends now. A
 * retraction changes nothing, as the end of a lease never does: they have said what they want.
 */
export const hearOfStop = (unit: UnitOfWork, log: LeaseStopped): void => {
  const lease = unit.exchange.leaseByChainKey(log.leaseKey);
  if (lease?.state !== 'funded' && lease?.state !== 'active') return;
  const byTenant = log.by === lease.tenantWallet;
  const detail = `the lease was stopped on chain by the ${byTenant ? 'tenant' : 'provider'}`;
  const reason = byTenant ? 'tenant' : 'decommissioned';
  unit.tellLease(lease.leaseId, { type: 'Close', reason, detail, atMs: unit.now });
  afterFall(unit, lease.leaseId, byTenant ? { then: 'end', reason: 'tenant', detail } : { then: 'again' });
};

/** Extended on chain, or not after all: known of a lease, and nothing to decide. */
export const hearOfTerm = (unit: UnitOfWork, event: Of<'LeaseTermChanged'>): void => {
  const { leaseId, durationSeconds, lockMicros } = event;
  if (!unit.exchange.lease(leaseId)) return;
  unit.tellLease(leaseId, { type: 'NoteTerm', durationSeconds, lockMicros, atMs: unit.now });
};

/** Closed on chain. Where we did not ask for it, the tenant or the provider used the exit that depends on nobody. */
export const hearOfSettlement = (unit: UnitOfWork, event: Of<'LeaseSettled'>): void => {
  const lease = unit.exchange.lease(event.leaseId);
  if (!lease) return;
  if (lease.state === 'funded' || lease.state === 'active') {
    const detail = 'the lease was closed on chain';
    unit.tellLease(lease.leaseId, { type: 'Close', reason: 'decommissioned', detail, atMs: unit.now });
    afterFall(unit, lease.leaseId, { then: 'end', reason: 'operator', detail });
  }
  unit.tellLease(lease.leaseId, {
    type: 'Settle',
    paidMicros: event.paidMicros,
    refundedMicros: event.refundedMicros,
    atMs: unit.now,
  });
};
