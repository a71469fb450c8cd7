import { least } from '../../src/model/amounts.ts';
import { isNonceUsed, limitOf, tenantOf } from '../../src/model/consent.ts';
import { closableAt, earnedBy, isOpen, requireOpen } from '../../src/model/leases.ts';
import { Refusal } from '../../src/model/refusal.ts';
import { currentEra, eraOf } from '../../src/model/rewards.ts';
import { heldOf, slashableOf } from '../../src/model/slashing.ts';
import { allowanceOf, balanceOf } from '../../src/model/token.ts';
import {
  type Address,
  type ContractName,
  type Value,
  ZERO_ADDRESS,
  ZERO_BYTES32,
} from '../../src/model/values.ts';
import { type ProviderState, type World } from '../../src/model/world.ts';
import { callOf, revertOf, words } from './abi.ts';
import {
  deployment,
  eras,
  everyone,
  FUNDER,
  leaseKeys,
  owners,
  payouts,
  providerIds,
  tenants,
  TREASURY,
  UNKNOWN_PROVIDER,
} from './cast.ts';

/** What anyone can ask the contracts, and what the model says to it. */
export type View = {
  readonly contract: ContractName;
  readonly method: string;
  readonly args: readonly Value[];
  readonly calldata: string;
  /** What the replay writes down: whether it answered, and the data. */
  readonly seen: (world: World) => string;
};

type Answer = (world: World) => readonly Value[];

const view = (contract: ContractName, method: string, args: readonly Value[], answer: Answer): View => ({
  contract,
  method,
  args,
  calldata: callOf(contract, method, args),
  seen: (world) => {
    try {
      return `01${words(answer(world))}`;
    } catch (error) {
      if (error instanceof Refusal) return `00${revertOf(contract, error)}`;
      throw error;
    }
  },
});

const { addresses } = deployment;
/** Who a call can pay, or take from; after each sequence everyone is asked. */
const holders = [
  ...new Set([...Object.values(addresses), ...tenants, ...owners, ...payouts, TREASURY, FUNDER]),
];
const others = everyone.filter((account) => !holders.includes(account));
const spenders = [addresses.market, addresses.registry, addresses.rewards];

const balanceView = (account: Address): View =>
  view('token', 'balanceOf', [account], (world) => [balanceOf(world, account)]);

const balances: readonly View[] = holders.map(balanceView);

const token: readonly View[] = [
  view('token', 'totalSupply', [], (world) => [
    [...world.token.balances.values()].reduce((sum, balance) => sum + balance, 0n),
  ]),
  ...tenants.map((account) =>
    view('token', 'nonces', [account], (world) => [world.token.permitNonces.get(account) ?? 0n]),
  ),
  ...[...tenants, ...owners.slice(0, 2)].flatMap((account) =>
    spenders.map((spender) =>
      view('token', 'allowance', [account, spender], (world) => [allowanceOf(world, account, spender)]),
    ),
  ),
];

const paused = (contract: 'market' | 'registry' | 'rewards'): View =>
  view(contract, 'paused', [], (world) => [world[contract].paused]);

const leaseViews = (key: bigint): readonly View[] => [
  view('market', 'leaseOf', [key], (world) => {
    const lease = world.market.leases.get(key);
    if (!lease) return [ZERO_ADDRESS, 0n, 0n, 0n, 0n, false];
    const { tenant, lock, settled, ratePerHour, openedAt } = lease;
    return [tenant, lock, settled, ratePerHour, openedAt, isOpen(lease)];
  }),
  view('market', 'exitOf', [key], (world) => {
    const lease = requireOpen(world, key);
    return [lease.stopped, closableAt(world, lease)];
  }),
  view('market', 'settleableOf', [key], (world) => {
    const lease = world.market.leases.get(key);
    return [lease && isOpen(lease) ? least(earnedBy(lease, world.nowSeconds), lease.lock) : 0n];
  }),
];

const market: readonly View[] = [
  paused('market'),
  ...tenants.flatMap((tenant) => [
    view('market', 'tenantOf', [tenant], (world) => {
      const { free, locked, ratePerHour } = tenantOf(world, tenant);
      return [free, locked, ratePerHour];
    }),
    view('market', 'spendingLimitOf', [tenant], (world) => {
      const { maxRatePerHour, maxLocked, validUntil } = limitOf(world, tenant);
      return [maxRatePerHour, maxLocked, validUntil];
    }),
  ]),
  ...providerIds.map((providerId) =>
    view('market', 'earningsOf', [providerId], (world) => {
      const { earned, claimed } = world.market.earnings.get(providerId) ?? { earned: 0n, claimed: 0n };
      return [earned, claimed];
    }),
  ),
  ...leaseKeys.flatMap(leaseViews),
];

const nonces: readonly View[] = tenants.flatMap((tenant) =>
  [0n, 1n, 2n, 3n, 16n, 256n].map((nonce) =>
    view('market', 'isNonceUsed', [tenant, nonce], (world) => [isNonceUsed(world, tenant, nonce)]),
  ),
);

const NOBODY: ProviderState = {
  owner: ZERO_ADDRESS,
  payout: ZERO_ADDRESS,
  metadataHash: ZERO_BYTES32,
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
};
const providerOf = (world: World, providerId: bigint): ProviderState =>
  world.registry.providers.get(providerId) ?? NOBODY;

const SLASH_STATES = { pending: 1n, cancelled: 2n, executed: 3n };

const registry: readonly View[] = [
  paused('registry'),
  view('registry', 'lastProviderId', [], (world) => [BigInt(world.registry.providers.size)]),
  view('registry', 'lastSlashId', [], (world) => [BigInt(world.registry.slashes.size)]),
  view('registry', 'treasury', [], (world) => [world.registry.treasury]),
  ...providerIds.flatMap((id) => [
    view('registry', 'providerOf', [id], (world) => {
      const { owner, stake, tier, suspended, payout, thawing, thawedAt, metadataHash } = providerOf(
        world,
        id,
      );
      return [owner, stake, tier, suspended, payout, thawing, thawedAt, metadataHash];
    }),
    view('registry', 'slashableOf', [id], (world) => [slashableOf(world, providerOf(world, id)).amount]),
    view('registry', 'holdOf', [id], (world) => {
      const provider = providerOf(world, id);
      return [heldOf(world, provider), provider.heldUntil];
    }),
  ]),
  ...[1n, 2n, 3n, 4n].map((slashId) =>
    view('registry', 'slashOf', [slashId], (world) => {
      const slash = world.registry.slashes.get(slashId);
      if (!slash) return [0n, 0n, 0n, 0n, 0n, ZERO_ADDRESS, ZERO_BYTES32];
      const { providerId, amount, compensation, executableAt, state, tenant, evidenceHash } = slash;
      return [providerId, amount, compensation, executableAt, SLASH_STATES[state], tenant, evidenceHash];
    }),
  ),
  ...[...tenants, deployment.treasury].map((account) =>
    view('registry', 'creditOf', [account], (world) => [world.registry.credits.get(account) ?? 0n]),
  ),
];

const standing: readonly View[] = [
  ...[...providerIds, UNKNOWN_PROVIDER].flatMap((id) => [
    view('registry', 'ownerOf', [id], (world) => [providerOf(world, id).owner]),
    view('registry', 'payoutOf', [id], (world) => [providerOf(world, id).payout]),
    view('registry', 'stakeOf', [id], (world) => [providerOf(world, id).stake]),
    view('registry', 'standingOf', [id], (world) => {
      const { owner, suspended } = providerOf(world, id);
      return [owner, suspended];
    }),
  ]),
  ...owners.map((owner) =>
    view('registry', 'providerIdOf', [owner], (world) => [world.registry.providerIdOf.get(owner) ?? 0n]),
  ),
];

const rewards: readonly View[] = [
  paused('rewards'),
  view('rewards', 'currentEra', [], (world) => [currentEra(world)]),
  ...eras.map((era) =>
    view('rewards', 'eraOf', [era], (world) => {
      const { pool, paid, claimableAt, root } = eraOf(world, era);
      return [pool, paid, claimableAt, root];
    }),
  ),
  ...providerIds.map((id) =>
    view('rewards', 'claimedOf', [id], (world) => [world.rewards.claimed.get(id) ?? 0n]),
  ),
];

/**
 * Lists of views by the contract that was called, and all. A call changes the contract that it goes to and the token, and
 * no other: what the market and the rewards ask the registry are views, and the EVM holds them to that. So a call is
 * followed by its contract's list, and each sequence ends with all.
 */
export const LISTS = ['token', 'market', 'registry', 'rewards', 'all'] as const;
export type ListName = (typeof LISTS)[number];

export const views: Readonly<Record<ListName, readonly View[]>> = {
  token: [...balances, ...token],
  market: [...balances, ...market],
  registry: [...balances, ...registry],
  rewards: [...balances, ...rewards],
  all: [
    ...balances,
    ...others.map(balanceView),
    ...token,
    ...market,
    ...nonces,
    ...registry,
    ...standing,
    ...rewards,
  ],
};
