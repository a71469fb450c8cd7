import { least, MAX_AMOUNT_MICROS, MAX_UINT64 } from './amounts.ts';
import { OVERFLOW, refuse } from './refusal.ts';
import { payOut } from './token.ts';
import {
  type Address,
  type Bytes32,
  type Effect,
  type Logged,
  ZERO_ADDRESS,
  ZERO_BYTES32,
} from './values.ts';
import { type ProviderState, requireNotPaused, requireRole, type SlashState, type World } from './world.ts';

/** proposed -> executed | cancelled; one that is not executed in its time lapses. */
const BASIS_POINTS = 10_000n;

const log = (name: string, ...args: Logged['args']): Logged => ({ contract: 'registry', name, args });

/** What of the thawing amount pending slashes could take once the stake is gone. */
export const heldOf = (world: World, provider: ProviderState): bigint => {
  if (world.nowSeconds >= provider.heldUntil || provider.pendingSlashes <= provider.stake) return 0n;
  return provider.pendingSlashes - provider.stake;
};

/** What this era may still take, and what was at stake before its first slash. */
export const slashableOf = (world: World, provider: ProviderState): { amount: bigint; base: bigint } => {
  const atStake = provider.stake + provider.thawing;
  const sameEra = provider.slashEra === world.nowSeconds / world.deployment.eraSeconds;
  const base = sameEra ? provider.slashBase : atStake;
  const cap = (base * world.deployment.eraCapBps) / BASIS_POINTS;
  return { amount: least(cap - (sameEra ? provider.slashTaken : 0n), atStake), base };
};

/** @throws Refusal UnknownSlash, SlashNotPending */
const requirePending = (world: World, slashId: bigint): SlashState => {
  const slash = world.registry.slashes.get(slashId);
  if (!slash) return refuse('UnknownSlash', slashId);
  if (slash.state !== 'pending') refuse('SlashNotPending', slashId);
  return slash;
};

const take = (world: World, provider: ProviderState, amount: bigint, base: bigint): void => {
  const era = world.nowSeconds / world.deployment.eraSeconds;
  provider.slashTaken = (provider.slashEra === era ? provider.slashTaken : 0n) + amount;
  provider.slashEra = era;
  provider.slashBase = base;
  const fromStake = least(amount, provider.stake);
  provider.stake -= fromStake;
  provider.thawing -= amount - fromStake;
};

const credit = (world: World, account: Address, amount: bigint): void =>
  void world.registry.credits.set(account, (world.registry.credits.get(account) ?? 0n) + amount);

export const slashingRules = {
  proposeSlash: (
    world: World,
    sender: Address,
    providerId: bigint,
    amount: bigint,
    tenant: Address,
    compensation: bigint,
    evidenceHash: Bytes32,
  ): Effect => {
    requireRole(world, sender, 'SLASHER_ROLE');
    requireNotPaused(world.registry);
    if (amount === 0n) refuse('ZeroAmount');
    if (amount > MAX_AMOUNT_MICROS) refuse('AmountTooLarge');
    if (compensation > amount) refuse('CompensationTooHigh', compensation, amount);
    if (compensation !== 0n && tenant === ZERO_ADDRESS) refuse('ZeroAddress');
    if (evidenceHash === ZERO_BYTES32) refuse('ZeroEvidence');
    const provider = world.registry.providers.get(providerId);
    if (!provider) return refuse('UnknownProvider', providerId);
    const pending = provider.pendingSlashes + amount;
    if (pending > MAX_UINT64) refuse('Panic', OVERFLOW);
    const slashId = BigInt(world.registry.slashes.size + 1);
    const executableAt = world.nowSeconds + world.deployment.disputeSeconds;
    const terms = { providerId, amount, compensation, executableAt, tenant, evidenceHash };
    world.registry.slashes.set(slashId, { ...terms, state: 'pending' });
    provider.pendingSlashes = pending;
    // Only what was proposed before the thaw's end holds anything back.
    const until = executableAt + world.deployment.executionSeconds;
    if (world.nowSeconds < provider.thawedAt && until > provider.heldUntil) provider.heldUntil = until;
    const args = [slashId, providerId, tenant, amount, compensation, executableAt, evidenceHash];
    return { logs: [log('SlashProposed', ...args)], returned: [slashId] };
  },

  cancelSlash: (world: World, sender: Address, slashId: bigint, reasonHash: Bytes32): Effect => {
    requireRole(world, sender, 'DISPUTE_ROLE');
    const slash = requirePending(world, slashId);
    slash.state = 'cancelled';
    world.registry.providers.get(slash.providerId)!.pendingSlashes -= slash.amount;
    return { logs: [log('SlashCancelled', slashId, slash.providerId, reasonHash)], returned: [] };
  },

  /** Anyone may. Takes what there is and what the era's cap leaves; the tenant is credited first. */
  executeSlash: (world: World, _sender: Address, slashId: bigint): Effect => {
    requireNotPaused(world.registry);
    const slash = requirePending(world, slashId);
    if (world.nowSeconds < slash.executableAt) refuse('StillDisputable', slash.executableAt);
    const expiredAt = slash.executableAt + world.deployment.executionSeconds;
    if (world.nowSeconds >= expiredAt) refuse('SlashExpired', expiredAt);
    const { providerId } = slash;
    const provider = world.registry.providers.get(providerId)!;
    const { amount: slashable, base } = slashableOf(world, provider);
    const taken = least(slash.amount, slashable);
    if (taken === 0n) refuse('NothingToSlash', providerId);
    take(world, provider, taken, base);
    slash.state = 'executed';
    provider.pendingSlashes -= slash.amount;
    const compensated = least(taken, slash.compensation);
    if (compensated !== 0n) credit(world, slash.tenant, compensated);
    if (taken !== compensated) credit(world, world.registry.treasury, taken - compensated);
    const logs = [
      log('SlashExecuted', slashId, providerId, slash.tenant, taken, compensated),
      log('StakeChanged', providerId, provider.owner, provider.stake),
    ];
    return { logs, returned: [] };
  },

  withdrawCredit: (world: World, sender: Address): Effect => {
    const amount = world.registry.credits.get(sender) ?? 0n;
    if (amount === 0n) refuse('ZeroAmount');
    world.registry.credits.set(sender, 0n);
    const withdrawn = log('CreditWithdrawn', sender, amount);
    return { logs: [withdrawn, payOut(world, 'registry', sender, amount)], returned: [amount] };
  },
};
