import { least, MAX_UINT64 } from './amounts.ts';
import { refuse } from './refusal.ts';
import {
  type Address,
  contentOfSpendingLimit,
  type Effect,
  type Logged,
  type Order,
  type Signature,
} from './values.ts';
import { type LimitState, type TenantState, type World } from './world.ts';

/** A tenant's consent: a standing limit over the sums of its open leases, or orders of one lease each. */
const NO_LIMIT: LimitState = { maxRatePerHour: 0n, maxLocked: 0n, validUntil: 0n };

export const limitOf = (world: World, tenant: Address): Readonly<LimitState> =>
  world.market.limits.get(tenant) ?? NO_LIMIT;

export const tenantOf = (world: World, tenant: Address): Readonly<TenantState> =>
  world.market.tenants.get(tenant) ?? { free: 0n, locked: 0n, ratePerHour: 0n };

export const isNonceUsed = (world: World, tenant: Address, nonce: bigint): boolean =>
  world.market.usedNonces.has(`${tenant} ${nonce}`);

/** @throws Refusal NonceUsed */
const requireNonce = (world: World, tenant: Address, nonce: bigint): void => {
  if (isNonceUsed(world, tenant, nonce)) refuse('NonceUsed', tenant, nonce);
};

const useNonce = (world: World, tenant: Address, nonce: bigint): void =>
  void world.market.usedNonces.add(`${tenant} ${nonce}`);

const setLimit = (world: World, tenant: Address, limit: LimitState): Logged => {
  world.market.limits.set(tenant, limit);
  const { maxRatePerHour, maxLocked, validUntil } = limit;
  return {
    contract: 'market',
    name: 'SpendingLimitSet',
    args: [tenant, maxRatePerHour, maxLocked, validUntil],
  };
};

/**
 * Whether the standing limit allows this much more.
 * @throws Refusal SpendingLimitExpired, RateLimitExceeded, SpendingLimitExceeded
 */
export const requireWithinLimit = (
  world: World,
  tenant: Address,
  addedLock: bigint,
  addedRatePerHour: bigint,
): void => {
  const open = tenantOf(world, tenant);
  const limit = limitOf(world, tenant);
  if (world.nowSeconds > limit.validUntil) refuse('SpendingLimitExpired', tenant, limit.validUntil);
  const rate = open.ratePerHour + addedRatePerHour;
  if (rate > limit.maxRatePerHour)
    refuse('RateLimitExceeded', tenant, least(rate, MAX_UINT64), limit.maxRatePerHour);
  const locked = open.locked + addedLock;
  if (locked > limit.maxLocked)
    refuse('SpendingLimitExceeded', tenant, least(locked, MAX_UINT64), limit.maxLocked);
};

/**
 * Whether an order allows a lease of this provider, rate and lock now; the result uses it up.
 * @throws Refusal RateLimitExceeded, SpendingLimitExceeded, OrderNamesOtherProvider, InvalidSignature,
 *   SignatureExpired, NonceUsed
 */
export const requireWithinOrder = (
  world: World,
  order: Order,
  signature: Signature,
  lease: { readonly providerId: bigint; readonly ratePerHour: bigint; readonly lock: bigint },
): (() => void) => {
  const { tenant } = order;
  if (lease.ratePerHour > order.maxRatePerHour)
    refuse('RateLimitExceeded', tenant, lease.ratePerHour, order.maxRatePerHour);
  if (lease.lock > order.maxLock) refuse('SpendingLimitExceeded', tenant, lease.lock, order.maxLock);
  if (order.providerId !== 0n && order.providerId !== lease.providerId)
    refuse('OrderNamesOtherProvider', lease.providerId, order.providerId);
  const created = signature.bytes === '0x' && world.market.createdOrders.has(order.hash);
  const signed = signature.signer === tenant && signature.content === order.hash;
  if (!created && !signed) refuse('InvalidSignature', tenant);
  if (world.nowSeconds > order.deadline) refuse('SignatureExpired', order.deadline);
  requireNonce(world, tenant, order.nonce);
  return () => useNonce(world, tenant, order.nonce);
};

export const consentRules = {
  setSpendingLimit: (
    world: World,
    sender: Address,
    maxRatePerHour: bigint,
    maxLocked: bigint,
    validUntil: bigint,
  ): Effect => ({
    logs: [setLimit(world, sender, { maxRatePerHour, maxLocked, validUntil })],
    returned: [],
  }),

  setSpendingLimitWithSignature: (
    world: World,
    _sender: Address,
    tenant: Address,
    maxRatePerHour: bigint,
    maxLocked: bigint,
    validUntil: bigint,
    nonce: bigint,
    deadline: bigint,
    signature: Signature,
  ): Effect => {
    if (world.nowSeconds > deadline) refuse('SignatureExpired', deadline);
    const content = contentOfSpendingLimit(tenant, maxRatePerHour, maxLocked, validUntil, nonce, deadline);
    if (signature.signer !== tenant || signature.content !== content) refuse('InvalidSignature', tenant);
    requireNonce(world, tenant, nonce);
    useNonce(world, tenant, nonce);
    return { logs: [setLimit(world, tenant, { maxRatePerHour, maxLocked, validUntil })], returned: [] };
  },

  createOrder: (world: World, sender: Address, order: Order): Effect => {
    if (sender !== order.tenant) refuse('NotTenant', sender);
    requireNonce(world, order.tenant, order.nonce);
    world.market.createdOrders.add(order.hash);
    const { tenant, providerId, maxRatePerHour, maxLock, deadline, nonce, orderRef } = order;
    const terms = [tenant, providerId, maxRatePerHour, maxLock, deadline, nonce, orderRef];
    const created: Logged = {
      contract: 'market',
      name: 'OrderCreated',
      args: [tenant, nonce, order.hash, ...terms],
    };
    return { logs: [created], returned: [] };
  },

  cancelNonce: (world: World, sender: Address, nonce: bigint): Effect => {
    requireNonce(world, sender, nonce);
    useNonce(world, sender, nonce);
    return { logs: [{ contract: 'market', name: 'NonceCancelled', args: [sender, nonce] }], returned: [] };
  },
};
