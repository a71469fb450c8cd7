import { least, MAX_AMOUNT_MICROS } from './amounts.ts';
import { tenantOf } from './consent.ts';
import { refuse } from './refusal.ts';
import { payOut, authorizedPull, permitHolds, pull, usePermit } from './token.ts';
import { type Address, type Bytes32, type Effect, type Logged, type Signature } from './values.ts';
import { requireNotPaused, setPaused, type TenantState, type World } from './world.ts';

/** What tenants put in and take out, and what providers pull. */

/** The tenant's balances, to be changed. */
export const tenantToChange = (world: World, tenant: Address): TenantState => {
  const known = world.market.tenants.get(tenant);
  if (known) return known;
  const fresh = { free: 0n, locked: 0n, ratePerHour: 0n };
  world.market.tenants.set(tenant, fresh);
  return fresh;
};

/** The provider's earnings, to be changed. */
export const earningsToChange = (world: World, providerId: bigint): { earned: bigint; claimed: bigint } => {
  const known = world.market.earnings.get(providerId);
  if (known) return known;
  const fresh = { earned: 0n, claimed: 0n };
  world.market.earnings.set(providerId, fresh);
  return fresh;
};

/** @throws Refusal EnforcedPause, ZeroAmount, AmountTooLarge */
const requireDepositable = (world: World, tenant: Address, amount: bigint): void => {
  requireNotPaused(world.market);
  if (amount === 0n) refuse('ZeroAmount');
  const { free, locked } = tenantOf(world, tenant);
  if (free + locked + amount > MAX_AMOUNT_MICROS) refuse('AmountTooLarge');
};

const credit = (world: World, tenant: Address, amount: bigint): Logged => {
  tenantToChange(world, tenant).free += amount;
  return { contract: 'market', name: 'Deposited', args: [tenant, amount] };
};

export const balanceRules = {
  deposit: (world: World, sender: Address, amount: bigint): Effect => {
    requireDepositable(world, sender, amount);
    const take = pull(world, sender, 'market', amount);
    return { logs: [credit(world, sender, amount), ...take()], returned: [] };
  },

  /** A permit that does not hold is ignored: an allowance may be there already. */
  depositWithPermit: (
    world: World,
    sender: Address,
    amount: bigint,
    deadline: bigint,
    signature: Signature,
  ): Effect => {
    requireDepositable(world, sender, amount);
    const permitted = permitHolds(world, sender, 'market', amount, deadline, signature);
    const take = pull(world, sender, 'market', amount, permitted ? amount : undefined);
    const approval = permitted ? [usePermit(world, sender, 'market', amount)] : [];
    return { logs: [...approval, credit(world, sender, amount), ...take()], returned: [] };
  },

  depositWithAuthorization: (
    world: World,
    _sender: Address,
    tenant: Address,
    amount: bigint,
    validAfter: bigint,
    validBefore: bigint,
    nonce: Bytes32,
    signature: Signature,
  ): Effect => {
    requireDepositable(world, tenant, amount);
    const take = authorizedPull(world, tenant, 'market', amount, validAfter, validBefore, nonce, signature);
    return { logs: [credit(world, tenant, amount), ...take()], returned: [] };
  },

  withdraw: (world: World, sender: Address, amount: bigint): Effect => {
    if (amount === 0n) refuse('ZeroAmount');
    const { free } = tenantOf(world, sender);
    if (amount > free) refuse('InsufficientFree', sender, free, amount);
    tenantToChange(world, sender).free -= amount;
    const withdrawn: Logged = { contract: 'market', name: 'Withdrawn', args: [sender, amount] };
    return { logs: [withdrawn, payOut(world, 'market', sender, amount)], returned: [] };
  },

  claim: (world: World, sender: Address, providerId: bigint): Effect => {
    const provider = world.registry.providers.get(providerId);
    if (!provider) return refuse('UnknownProvider', providerId);
    const { owner, payout } = provider;
    if (sender !== payout && sender !== owner) refuse('NotParty', sender);
    const { earned, claimed } = world.market.earnings.get(providerId) ?? { earned: 0n, claimed: 0n };
    if (earned === claimed) refuse('ZeroAmount');
    const amount = least(earned - claimed, MAX_AMOUNT_MICROS);
    earningsToChange(world, providerId).claimed += amount;
    const told: Logged = { contract: 'market', name: 'EarningsClaimed', args: [providerId, payout, amount] };
    return { logs: [told, payOut(world, 'market', payout, amount)], returned: [amount] };
  },

  pause: (world: World, sender: Address): Effect => ({
    logs: [setPaused(world, 'market', sender, true)],
    returned: [],
  }),

  unpause: (world: World, sender: Address): Effect => ({
    logs: [setPaused(world, 'market', sender, false)],
    returned: [],
  }),
};
