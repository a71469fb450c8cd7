import type { ProviderEvent } from '@gridbourse/events';
import { type AccountId, type LeaseId, notFound } from '@gridbourse/kernel';
import type { Lease } from '../lease.ts';
import type { MarketChange } from '../market.ts';
import { afterFall, lapse } from './falling.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/**
 * A word from the registry. New capacity wakes the waiting orders; a lost provider loses its leases.
 * @returns null when the word was old.
 */
export const hearOfProvider = (
  unit: UnitOfWork,
  event: ProviderEvent,
  sequence: number,
): MarketChange | null => {
  const { exchange } = unit;
  const { market } = exchange;
  const provider = market.provider(event.providerId);
  const offer = 'offerId' in event ? market.offer(event.offerId) : undefined;
  const change = market.apply(event, sequence);
  if (!change) return null;
  exchange.marketChanged();
  unit.onRollback(() => {
    exchange.marketChanged();
    market.forget(event.providerId, change.offer?.offerId ?? null);
    market.restore(provider ? [provider] : [], offer ? [offer] : []);
  });
  if (change.opened) unit.wantRematch();
  if (change.lost) loseLeasesOf(unit, event);
  return change;
};

const loseLeasesOf = (unit: UnitOfWork, event: ProviderEvent): void => {
  const detail = 'the provider went offline';
  for (const { leaseId } of unit.exchange.leasesAt(event.providerId)) {
    // One fall may have taken others with it.
    const lease = unit.exchange.lease(leaseId);
    if (!lease) continue;
    if (lease.state === 'proposed' || lease.state === 'accepted')
      lapse(unit, leaseId, 'provider_lost', detail);
    else if (lease.state === 'funded' || lease.state === 'active') {
      unit.tellLease(leaseId, { type: 'Close', reason: 'provider_lost', detail, atMs: unit.now });
    } else continue;
    afterFall(unit, leaseId, { then: 'again' });
  }
};

const proposalTo = (unit: UnitOfWork, accountId: AccountId, leaseId: LeaseId): Lease => {
  const lease = unit.exchange.lease(leaseId);
  const provider = lease && unit.exchange.market.provider(lease.providerId);
  if (!lease || provider?.accountId !== accountId) throw notFound('lease', leaseId);
  return lease;
};

/** @throws DomainError not_found for a lease that is not at the caller's provider; `lease_not_proposed`, `acceptance_too_late`. */
export const acceptLease = (unit: UnitOfWork, accountId: AccountId, leaseId: LeaseId): Lease => {
  proposalTo(unit, accountId, leaseId);
  return unit.tellLease(leaseId, {
    type: 'Accept',
    by: 'provider',
    fundByMs: unit.now + unit.policies.fundWithinMs,
    atMs: unit.now,
  });
};

/** The next candidate is asked at once. @throws DomainError as `acceptLease`. */
export const rejectLease = (
  unit: UnitOfWork,
  accountId: AccountId,
  leaseId: LeaseId,
  reason: string,
): Lease => {
  const before = proposalTo(unit, accountId, leaseId);
  const lease = unit.tellLease(leaseId, { type: 'Reject', reason, atMs: unit.now });
  if (lease === before) return lease;
  unit.tellLease(leaseId, { type: 'ReleaseCapacity', atMs: unit.now });
  afterFall(unit, leaseId, { then: 'again' });
  return unit.exchange.lease(leaseId)!;
};
