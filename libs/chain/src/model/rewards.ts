import { MAX_AMOUNT_MICROS } from './amounts.ts';
import { refuse } from './refusal.ts';
import { payOut, pull } from './token.ts';
import {
  type Address,
  type Bytes32,
  contentOfReward,
  type Effect,
  type Logged,
  type Proof,
  type Reward,
  ZERO_BYTES32,
} from './values.ts';
import { type EraState, requireNotPaused, requireRole, setPaused, type World } from './world.ts';

/** Pools by era, and claims of cumulative rewards: an era never pays more than it was funded with. */
const log = (name: string, ...args: Logged['args']): Logged => ({ contract: 'rewards', name, args });

const NO_ERA: EraState = { pool: 0n, paid: 0n, claimableAt: 0n, root: ZERO_BYTES32 };

export const eraOf = (world: World, era: bigint): Readonly<EraState> => world.rewards.eras.get(era) ?? NO_ERA;

export const currentEra = (world: World): bigint => world.nowSeconds / world.deployment.eraSeconds;

const eraToChange = (world: World, era: bigint): EraState => {
  const known = world.rewards.eras.get(era);
  if (known) return known;
  const fresh = { ...NO_ERA };
  world.rewards.eras.set(era, fresh);
  return fresh;
};

const claimsOver = (world: World, era: bigint): boolean => {
  const { eraSeconds, claimSeconds } = world.deployment;
  return world.nowSeconds >= (era + 1n) * eraSeconds + claimSeconds;
};

export const rewardRules = {
  fund: (world: World, sender: Address, era: bigint, amount: bigint): Effect => {
    requireNotPaused(world.rewards);
    if (amount === 0n) refuse('ZeroAmount');
    const current = currentEra(world);
    if (era < current) refuse('EraOver', era, current);
    const pool = eraOf(world, era).pool + amount;
    if (pool > MAX_AMOUNT_MICROS) refuse('AmountTooLarge');
    const take = pull(world, sender, 'rewards', amount);
    eraToChange(world, era).pool = pool;
    return { logs: [log('EraFunded', era, sender, amount, pool), ...take()], returned: [] };
  },

  postRoot: (world: World, sender: Address, era: bigint, root: Bytes32): Effect => {
    requireRole(world, sender, 'POSTER_ROLE');
    requireNotPaused(world.rewards);
    if (root === ZERO_BYTES32) refuse('ZeroRoot');
    const current = currentEra(world);
    if (era >= current) refuse('EraNotOver', era, current);
    if (claimsOver(world, era)) refuse('ClaimsOver', era);
    if (eraOf(world, era).root !== ZERO_BYTES32) refuse('RootAlreadyPosted', era);
    const entry = eraToChange(world, era);
    entry.root = root;
    entry.claimableAt = world.nowSeconds + world.deployment.rewardDisputeSeconds;
    return { logs: [log('RootPosted', era, root, entry.claimableAt)], returned: [] };
  },

  disputeRoot: (world: World, sender: Address, era: bigint, reasonHash: Bytes32): Effect => {
    requireRole(world, sender, 'DISPUTE_ROLE');
    const { root, claimableAt } = eraOf(world, era);
    if (root === ZERO_BYTES32) refuse('RootNotPosted', era);
    if (world.nowSeconds >= claimableAt) refuse('RootFinal', era);
    const entry = eraToChange(world, era);
    entry.root = ZERO_BYTES32;
    entry.claimableAt = 0n;
    return { logs: [log('RootDisputed', era, root, reasonHash)], returned: [] };
  },

  /** Pays the difference to what was claimed; eras are claimed in their order. */
  claim: (world: World, sender: Address, reward: Reward, proof: Proof): Effect => {
    const { era, providerId, previous, cumulative } = reward;
    const provider = world.registry.providers.get(providerId);
    if (!provider) return refuse('UnknownProvider', providerId);
    if (sender !== provider.payout && sender !== provider.owner) refuse('NotParty', sender);
    const { root, claimableAt, pool, paid } = eraOf(world, era);
    if (root === ZERO_BYTES32) refuse('RootNotPosted', era);
    if (world.nowSeconds < claimableAt) refuse('RootNotClaimable', era, claimableAt);
    if (claimsOver(world, era)) refuse('ClaimsOver', era);
    if (proof.root !== root || proof.leaf !== contentOfReward(reward))
      refuse('InvalidProof', era, providerId);
    const claimed = world.rewards.claimed.get(providerId) ?? 0n;
    if (claimed < previous) refuse('EarlierEraUnclaimed', providerId, claimed, previous);
    if (cumulative <= claimed) refuse('NothingToClaim', providerId, claimed);
    const amount = cumulative - claimed;
    if (amount > pool - paid) refuse('PoolExceeded', era, pool - paid, amount);
    eraToChange(world, era).paid += amount;
    world.rewards.claimed.set(providerId, cumulative);
    const told = log('RewardClaimed', providerId, era, provider.payout, amount);
    return { logs: [told, payOut(world, 'rewards', provider.payout, amount)], returned: [amount] };
  },

  /** What is left after the time for claims goes to the current era. */
  rollOver: (world: World, _sender: Address, era: bigint): Effect => {
    if (!claimsOver(world, era)) refuse('ClaimsNotOver', era);
    const { pool, paid } = eraOf(world, era);
    const amount = pool - paid;
    if (amount === 0n) refuse('ZeroAmount');
    const current = currentEra(world);
    if (eraOf(world, current).pool + amount > MAX_AMOUNT_MICROS) refuse('AmountTooLarge');
    eraToChange(world, era).pool = paid;
    eraToChange(world, current).pool += amount;
    return { logs: [log('EraRolledOver', era, current, amount)], returned: [amount] };
  },

  pause: (world: World, sender: Address): Effect => ({
    logs: [setPaused(world, 'rewards', sender, true)],
    returned: [],
  }),

  unpause: (world: World, sender: Address): Effect => ({
    logs: [setPaused(world, 'rewards', sender, false)],
    returned: [],
  }),
};
