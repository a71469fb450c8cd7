import { type Address, type Bytes32, type ContractName, type Logged } from './values.ts';
import { refuse } from './refusal.ts';

/** keccak256 of the roles' names, as OpenZeppelin's AccessControl knows them. */
export type RoleName =
  | 'OPERATOR_ROLE'
  | 'PAUSER_ROLE'
  | 'TIER_ROLE'
  | 'SUSPENDER_ROLE'
  | 'SLASHER_ROLE'
  | 'DISPUTE_ROLE'
  | 'POSTER_ROLE';

/** What a deployment fixes: addresses, who holds which role, and the times (seconds). */
export type Deployment = {
  readonly addresses: Readonly<Record<ContractName, Address>>;
  readonly roles: Readonly<Record<RoleName, { readonly id: Bytes32; readonly holder: Address }>>;
  readonly treasury: Address;
  readonly forceCloseAfterSeconds: bigint;
  readonly stopNoticeSeconds: bigint;
  readonly thawSeconds: bigint;
  readonly disputeSeconds: bigint;
  readonly executionSeconds: bigint;
  readonly eraSeconds: bigint;
  readonly eraCapBps: bigint;
  readonly rewardDisputeSeconds: bigint;
  readonly claimSeconds: bigint;
};

export type TokenState = {
  readonly balances: Map<Address, bigint>;
  /** by `owner spender` */
  readonly allowances: Map<string, bigint>;
  readonly permitNonces: Map<Address, bigint>;
  /** `from nonce` of authorizations that were used */
  readonly usedAuthorizations: Set<string>;
};

/** `locked` and `ratePerHour` are the sums over open leases. */
export type TenantState = { free: bigint; locked: bigint; ratePerHour: bigint };
export type LimitState = { maxRatePerHour: bigint; maxLocked: bigint; validUntil: bigint };

export type LeaseState = {
  readonly tenant: Address;
  readonly providerId: bigint;
  readonly openedAt: bigint;
  lock: bigint;
  settled: bigint;
  /** 0 once closed */
  ratePerHour: bigint;
  /** when the operator last settled, in full minutes after the start, rounded up */
  heardMinutes: bigint;
  stopped: boolean;
};

export type MarketState = {
  paused: boolean;
  readonly tenants: Map<Address, TenantState>;
  readonly limits: Map<Address, LimitState>;
  /** by provider id; both only grow */
  readonly earnings: Map<bigint, { earned: bigint; claimed: bigint }>;
  /** by provider id x 2^64 + serial */
  readonly leases: Map<bigint, LeaseState>;
  /** `tenant nonce` */
  readonly usedNonces: Set<string>;
  /** hashes of orders that their tenants put on chain */
  readonly createdOrders: Set<Bytes32>;
};

export type ProviderState = {
  readonly owner: Address;
  payout: Address;
  stake: bigint;
  tier: bigint;
  suspended: boolean;
  thawing: bigint;
  thawedAt: bigint;
  metadataHash: Bytes32;
  /** the sum of pending slashes, and until when they hold back what has thawed */
  pendingSlashes: bigint;
  heldUntil: bigint;
  /** the last era that slashed, what was at stake before its first slash, and what it took */
  slashEra: bigint;
  slashBase: bigint;
  slashTaken: bigint;
};

export type SlashState = {
  readonly providerId: bigint;
  readonly amount: bigint;
  readonly compensation: bigint;
  readonly executableAt: bigint;
  readonly tenant: Address;
  readonly evidenceHash: Bytes32;
  state: 'pending' | 'cancelled' | 'executed';
};

export type RegistryState = {
  paused: boolean;
  treasury: Address;
  /** ids count from 1 */
  readonly providers: Map<bigint, ProviderState>;
  readonly providerIdOf: Map<Address, bigint>;
  readonly slashes: Map<bigint, SlashState>;
  readonly credits: Map<Address, bigint>;
};

export type EraState = { pool: bigint; paid: bigint; claimableAt: bigint; root: Bytes32 };

export type RewardsState = {
  paused: boolean;
  readonly eras: Map<bigint, EraState>;
  /** by provider id: all that it was ever paid */
  readonly claimed: Map<bigint, bigint>;
};

/** The state of the contracts and the time of the next call. The rules of this folder change it in place. */
export type World = {
  readonly deployment: Deployment;
  nowSeconds: bigint;
  readonly token: TokenState;
  readonly market: MarketState;
  readonly registry: RegistryState;
  readonly rewards: RewardsState;
};

/** Freshly deployed contracts: nobody has anything. */
export const newWorld = (deployment: Deployment, nowSeconds: bigint): World => ({
  deployment,
  nowSeconds,
  token: {
    balances: new Map(),
    allowances: new Map(),
    permitNonces: new Map(),
    usedAuthorizations: new Set(),
  },
  market: {
    paused: false,
    tenants: new Map(),
    limits: new Map(),
    earnings: new Map(),
    leases: new Map(),
    usedNonces: new Set(),
    createdOrders: new Set(),
  },
  registry: {
    paused: false,
    treasury: deployment.treasury,
    providers: new Map(),
    providerIdOf: new Map(),
    slashes: new Map(),
    credits: new Map(),
  },
  rewards: { paused: false, eras: new Map(), claimed: new Map() },
});

/** @throws Refusal AccessControlUnauthorizedAccount */
export const requireRole = (world: World, sender: Address, role: RoleName): void => {
  const { id, holder } = world.deployment.roles[role];
  if (sender !== holder) refuse('AccessControlUnauthorizedAccount', sender, id);
};

/** @throws Refusal EnforcedPause */
export const requireNotPaused = (state: { readonly paused: boolean }): void => {
  if (state.paused) refuse('EnforcedPause');
};

export type PausableContract = Exclude<ContractName, 'token'>;

/** @throws Refusal AccessControlUnauthorizedAccount, EnforcedPause, ExpectedPause */
export const setPaused = (
  world: World,
  contract: PausableContract,
  sender: Address,
  paused: boolean,
): Logged => {
  requireRole(world, sender, 'PAUSER_ROLE');
  const state = world[contract];
  if (state.paused === paused) refuse(paused ? 'EnforcedPause' : 'ExpectedPause');
  state.paused = paused;
  return { contract, name: paused ? 'Paused' : 'Unpaused', args: [sender] };
};
