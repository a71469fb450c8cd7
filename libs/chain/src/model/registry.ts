import { MAX_AMOUNT_MICROS } from './amounts.ts';
import { refuse } from './refusal.ts';
import { heldOf } from './slashing.ts';
import { payOut, pull } from './token.ts';
import { type Address, type Bytes32, type Effect, type Logged, ZERO_ADDRESS } from './values.ts';
import { type ProviderState, requireNotPaused, requireRole, setPaused, type World } from './world.ts';

/** Providers, what they have at stake, and how it leaves. */
const WORST_TIER = 7n;

const log = (name: string, ...args: Logged['args']): Logged => ({ contract: 'registry', name, args });

/** @throws Refusal NotRegistered */
const requireOwn = (world: World, sender: Address): { providerId: bigint; provider: ProviderState } => {
  const providerId = world.registry.providerIdOf.get(sender);
  if (providerId === undefined) return refuse('NotRegistered', sender);
  return { providerId, provider: world.registry.providers.get(providerId)! };
};

/** @throws Refusal UnknownProvider */
export const requireKnown = (world: World, providerId: bigint): ProviderState =>
  world.registry.providers.get(providerId) ?? refuse('UnknownProvider', providerId);

export const registryRules = {
  register: (world: World, sender: Address, payout: Address, metadataHash: Bytes32): Effect => {
    requireNotPaused(world.registry);
    if (payout === ZERO_ADDRESS) refuse('ZeroAddress');
    const known = world.registry.providerIdOf.get(sender);
    if (known !== undefined) refuse('AlreadyRegistered', sender, known);
    const providerId = BigInt(world.registry.providers.size + 1);
    world.registry.providerIdOf.set(sender, providerId);
    world.registry.providers.set(providerId, {
      owner: sender,
      payout,
      metadataHash,
      stake: 0n,
      tier: 0n,
      suspended: false,
      thawing: 0n,
      thawedAt: 0n,
      pendingSlashes: 0n,
      heldUntil: 0n,
      slashEra: 0n,
      slashBase: 0n,
      slashTaken: 0n,
    });
    return {
      logs: [log('ProviderRegistered', providerId, sender, payout, metadataHash)],
      returned: [providerId],
    };
  },

  setPayout: (world: World, sender: Address, payout: Address): Effect => {
    if (payout === ZERO_ADDRESS) refuse('ZeroAddress');
    const { providerId, provider } = requireOwn(world, sender);
    provider.payout = payout;
    return { logs: [log('PayoutChanged', providerId, payout)], returned: [] };
  },

  setMetadata: (world: World, sender: Address, metadataHash: Bytes32): Effect => {
    const { providerId, provider } = requireOwn(world, sender);
    provider.metadataHash = metadataHash;
    return { logs: [log('MetadataChanged', providerId, metadataHash)], returned: [] };
  },

  stake: (world: World, sender: Address, amount: bigint): Effect => {
    requireNotPaused(world.registry);
    if (amount === 0n) refuse('ZeroAmount');
    const { providerId, provider } = requireOwn(world, sender);
    if (provider.stake + provider.thawing + amount > MAX_AMOUNT_MICROS) refuse('AmountTooLarge');
    const take = pull(world, sender, 'registry', amount);
    provider.stake += amount;
    return { logs: [log('StakeChanged', providerId, sender, provider.stake), ...take()], returned: [] };
  },

  /** A further request starts the thaw of all that thaws anew. */
  requestUnstake: (world: World, sender: Address, amount: bigint): Effect => {
    if (amount === 0n) refuse('ZeroAmount');
    const { providerId, provider } = requireOwn(world, sender);
    if (amount > provider.stake) refuse('InsufficientStake', provider.stake, amount);
    provider.stake -= amount;
    provider.thawing += amount;
    provider.thawedAt = world.nowSeconds + world.deployment.thawSeconds;
    const logs = [
      log('StakeChanged', providerId, sender, provider.stake),
      log('UnstakeRequested', providerId, provider.thawing, provider.thawedAt),
    ];
    return { logs, returned: [] };
  },

  /** What proposed slashes may still take stays. */
  withdrawUnstaked: (world: World, sender: Address): Effect => {
    const { providerId, provider } = requireOwn(world, sender);
    if (provider.thawing === 0n) refuse('ZeroAmount');
    if (world.nowSeconds < provider.thawedAt) refuse('StillThawing', provider.thawedAt);
    const held = heldOf(world, provider);
    if (held >= provider.thawing) refuse('HeldForSlashing', provider.heldUntil);
    const amount = provider.thawing - held;
    provider.thawing = held;
    const withdrawn = log('UnstakedWithdrawn', providerId, sender, amount);
    return { logs: [withdrawn, payOut(world, 'registry', sender, amount)], returned: [] };
  },

  setTier: (world: World, sender: Address, providerId: bigint, tier: bigint): Effect => {
    requireRole(world, sender, 'TIER_ROLE');
    if (tier === 0n || tier > WORST_TIER) refuse('InvalidTier', tier);
    requireKnown(world, providerId).tier = tier;
    return { logs: [log('TierChanged', providerId, tier)], returned: [] };
  },

  setSuspended: (
    world: World,
    sender: Address,
    providerId: bigint,
    suspended: boolean,
    reasonHash: Bytes32,
  ): Effect => {
    requireRole(world, sender, 'SUSPENDER_ROLE');
    requireKnown(world, providerId).suspended = suspended;
    return { logs: [log('SuspensionChanged', providerId, suspended, reasonHash)], returned: [] };
  },

  pause: (world: World, sender: Address): Effect => ({
    logs: [setPaused(world, 'registry', sender, true)],
    returned: [],
  }),

  unpause: (world: World, sender: Address): Effect => ({
    logs: [setPaused(world, 'registry', sender, false)],
    returned: [],
  }),
};
