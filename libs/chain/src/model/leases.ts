import { costMicros, earnedMicros, least, MAX_AMOUNT_MICROS, MAX_UINT64, secondsToEarn } from './amounts.ts';
import { earningsToChange, tenantToChange } from './balances.ts';
import { requireWithinLimit, requireWithinOrder, tenantOf } from './consent.ts';
import { refuse } from './refusal.ts';
import {
  type Address,
  type Bytes32,
  type Effect,
  type Logged,
  type Order,
  type Signature,
} from './values.ts';
import { type LeaseState, requireNotPaused, requireRole, type World } from './world.ts';

/** open -> stopped -> closed, open -> closed. The operator opens and settles; either party can stop and leave alone. */
const SERIALS = 2n ** 64n;
const SECONDS_PER_MINUTE = 60n;
/** The operator's last word is kept in 24 bits. */
const MAX_MINUTES = 2n ** 24n - 1n;

export const providerOfLease = (leaseKey: bigint): bigint => leaseKey / SERIALS;
export const isOpen = (lease: LeaseState): boolean => lease.ratePerHour !== 0n;

/** What time has earned so far, whatever the lock is. */
export const earnedBy = (lease: LeaseState, seconds: bigint): bigint =>
  earnedMicros(lease.ratePerHour, seconds - lease.openedAt);

/** From when on a party may close the lease alone. */
export const closableAt = (world: World, lease: LeaseState): bigint => {
  const heardAt = lease.openedAt + lease.heardMinutes * SECONDS_PER_MINUTE;
  const usedUpAt = lease.openedAt + secondsToEarn(lease.lock, lease.ratePerHour);
  return least(heardAt, usedUpAt) + world.deployment.forceCloseAfterSeconds;
};

/** Notes that the operator has been heard of, and up to which amount the lease has paid. */
export const settleTo = (world: World, lease: LeaseState, cumulative: bigint): void => {
  const minutes = (world.nowSeconds - lease.openedAt + SECONDS_PER_MINUTE - 1n) / SECONDS_PER_MINUTE;
  lease.heardMinutes = least(minutes, MAX_MINUTES);
  lease.settled = cumulative;
};

/** @throws Refusal UnknownLease, LeaseNotOpen */
export const requireOpen = (world: World, leaseKey: bigint): LeaseState => {
  const lease = world.market.leases.get(leaseKey);
  if (!lease) return refuse('UnknownLease', leaseKey);
  if (!isOpen(lease)) refuse('LeaseNotOpen', leaseKey);
  return lease;
};

/** @throws Refusal NotParty */
const requireParty = (world: World, sender: Address, lease: LeaseState): void => {
  const owner = world.registry.providers.get(lease.providerId)?.owner;
  if (sender !== lease.tenant && sender !== owner) refuse('NotParty', sender);
};

/** @throws Refusal ZeroAmount, ZeroDuration, AmountTooLarge */
const requireCost = (ratePerHour: bigint, durationSeconds: bigint): bigint => {
  if (ratePerHour === 0n) refuse('ZeroAmount');
  if (durationSeconds === 0n) refuse('ZeroDuration');
  const cost = costMicros(ratePerHour, durationSeconds);
  if (cost > MAX_AMOUNT_MICROS) refuse('AmountTooLarge');
  return cost;
};

/** @throws Refusal InsufficientFree, AmountTooLarge */
const requireLockable = (world: World, tenant: Address, lock: bigint, ratePerHour: bigint): void => {
  const balances = tenantOf(world, tenant);
  if (lock > balances.free) refuse('InsufficientFree', tenant, balances.free, lock);
  if (balances.ratePerHour + ratePerHour > MAX_UINT64) refuse('AmountTooLarge');
};

const lockUp = (world: World, tenant: Address, lock: bigint, ratePerHour: bigint): void => {
  const balances = tenantToChange(world, tenant);
  balances.free -= lock;
  balances.locked += lock;
  balances.ratePerHour += ratePerHour;
};

/**
 * Whether a lease can be opened, consent aside; the result opens it.
 * @throws Refusal LeaseKeyUsed, UnknownProvider, ProviderSuspended, InsufficientFree, AmountTooLarge
 */
const requireOpenable = (
  world: World,
  leaseKey: bigint,
  tenant: Address,
  ratePerHour: bigint,
  lock: bigint,
  leaseRef: Bytes32,
): (() => Logged) => {
  if (world.market.leases.has(leaseKey)) refuse('LeaseKeyUsed', leaseKey);
  const providerId = providerOfLease(leaseKey);
  const provider = world.registry.providers.get(providerId);
  if (!provider) return refuse('UnknownProvider', providerId);
  if (provider.suspended) refuse('ProviderSuspended', providerId);
  requireLockable(world, tenant, lock, ratePerHour);
  return () => {
    lockUp(world, tenant, lock, ratePerHour);
    const openedAt = world.nowSeconds;
    world.market.leases.set(leaseKey, {
      tenant,
      providerId,
      openedAt,
      lock,
      settled: 0n,
      ratePerHour,
      heardMinutes: 0n,
      stopped: false,
    });
    const args = [leaseKey, leaseRef, tenant, ratePerHour, lock, openedAt];
    return { contract: 'market', name: 'LeaseOpened', args };
  };
};

const close = (
  world: World,
  sender: Address,
  leaseKey: bigint,
  lease: LeaseState,
  cumulative: bigint,
): Effect => {
  const paid = cumulative - lease.settled;
  const refunded = lease.lock - cumulative;
  const balances = tenantToChange(world, lease.tenant);
  balances.free += refunded;
  balances.locked -= lease.lock;
  balances.ratePerHour -= lease.ratePerHour;
  if (paid !== 0n) earningsToChange(world, lease.providerId).earned += paid;
  settleTo(world, lease, cumulative);
  lease.ratePerHour = 0n;
  const args = [leaseKey, lease.tenant, sender, paid, cumulative, refunded];
  return { logs: [{ contract: 'market', name: 'LeaseClosed', args }], returned: [] };
};

export const leaseRules = {
  openLease: (
    world: World,
    sender: Address,
    leaseKey: bigint,
    tenant: Address,
    ratePerHour: bigint,
    durationSeconds: bigint,
    leaseRef: Bytes32,
  ): Effect => {
    requireRole(world, sender, 'OPERATOR_ROLE');
    requireNotPaused(world.market);
    const lock = requireCost(ratePerHour, durationSeconds);
    requireWithinLimit(world, tenant, lock, ratePerHour);
    const open = requireOpenable(world, leaseKey, tenant, ratePerHour, lock, leaseRef);
    return { logs: [open()], returned: [] };
  },

  /** The order's own bounds count, whatever the standing limit is. */
  openLeaseWithOrder: (
    world: World,
    sender: Address,
    leaseKey: bigint,
    ratePerHour: bigint,
    durationSeconds: bigint,
    leaseRef: Bytes32,
    order: Order,
    signature: Signature,
  ): Effect => {
    requireRole(world, sender, 'OPERATOR_ROLE');
    requireNotPaused(world.market);
    const lock = requireCost(ratePerHour, durationSeconds);
    const providerId = providerOfLease(leaseKey);
    const useUp = requireWithinOrder(world, order, signature, { providerId, ratePerHour, lock });
    const open = requireOpenable(world, leaseKey, order.tenant, ratePerHour, lock, leaseRef);
    useUp();
    const args = [order.tenant, order.nonce, leaseKey, order.hash, order.orderRef];
    return { logs: [{ contract: 'market', name: 'OrderUsed', args }, open()], returned: [] };
  },

  /** The tenant may always; the operator within the tenant's limit. */
  extendLease: (world: World, sender: Address, leaseKey: bigint, addedSeconds: bigint): Effect => {
    requireNotPaused(world.market);
    const lease = requireOpen(world, leaseKey);
    if (lease.stopped) refuse('LeaseIsStopped', leaseKey);
    const added = requireCost(lease.ratePerHour, addedSeconds);
    if (sender !== lease.tenant) {
      requireRole(world, sender, 'OPERATOR_ROLE');
      requireWithinLimit(world, lease.tenant, added, 0n);
    }
    requireLockable(world, lease.tenant, added, 0n);
    lockUp(world, lease.tenant, added, 0n);
    lease.lock += added;
    const args = [leaseKey, lease.tenant, sender, added, lease.lock];
    return { logs: [{ contract: 'market', name: 'LeaseExtended', args }], returned: [] };
  },

  /** Refuses an amount that would have to be altered. A pause does not hold it up. */
  closeLease: (world: World, sender: Address, leaseKey: bigint, cumulative: bigint): Effect => {
    requireRole(world, sender, 'OPERATOR_ROLE');
    const lease = requireOpen(world, leaseKey);
    if (cumulative < lease.settled) refuse('LessThanSettled', leaseKey, cumulative, lease.settled);
    if (cumulative > lease.lock) refuse('MoreThanLock', leaseKey, cumulative, lease.lock);
    const earned = earnedBy(lease, world.nowSeconds);
    if (cumulative > earned) refuse('MoreThanEarned', leaseKey, cumulative, least(earned, MAX_UINT64));
    return close(world, sender, leaseKey, lease, cumulative);
  },

  /** What time cannot have earned at the end of the notice goes back at once. */
  stopLease: (world: World, sender: Address, leaseKey: bigint): Effect => {
    const lease = requireOpen(world, leaseKey);
    requireParty(world, sender, lease);
    if (lease.stopped) refuse('LeaseIsStopped', leaseKey);
    const endsAt = world.nowSeconds + world.deployment.stopNoticeSeconds;
    const kept = least(earnedBy(lease, endsAt), lease.lock);
    const refunded = lease.lock - kept;
    const balances = tenantToChange(world, lease.tenant);
    balances.free += refunded;
    balances.locked -= refunded;
    lease.lock = kept;
    lease.stopped = true;
    const args = [leaseKey, lease.tenant, sender, endsAt, kept, refunded];
    return { logs: [{ contract: 'market', name: 'LeaseStopped', args }], returned: [] };
  },

  /** Pays nothing beyond what was settled. */
  forceClose: (world: World, sender: Address, leaseKey: bigint): Effect => {
    const lease = requireOpen(world, leaseKey);
    requireParty(world, sender, lease);
    const from = closableAt(world, lease);
    if (world.nowSeconds < from) refuse('OperatorNotSilent', leaseKey, from);
    return close(world, sender, leaseKey, lease, lease.settled);
  },
};
