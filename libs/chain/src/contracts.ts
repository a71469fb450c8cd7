import { Contract, type ContractRunner, type ContractTransactionResponse, Interface } from 'ethers';
import { abi as computeMarketAbi } from './generated/ComputeMarket.ts';
import { abi as livenessRewardsAbi } from './generated/LivenessRewards.ts';
import { abi as providerRegistryAbi } from './generated/ProviderRegistry.ts';
import { abi as testUsdcAbi } from './generated/TestUSDC.ts';
import { abi as upgradeTimelockAbi } from './generated/UpgradeTimelock.ts';

export const abis = {
  ComputeMarket: computeMarketAbi,
  ProviderRegistry: providerRegistryAbi,
  LivenessRewards: livenessRewardsAbi,
  UpgradeTimelock: upgradeTimelockAbi,
  TestUSDC: testUsdcAbi,
} as const;

export const interfaces = {
  ComputeMarket: new Interface(computeMarketAbi),
  ProviderRegistry: new Interface(providerRegistryAbi),
  LivenessRewards: new Interface(livenessRewardsAbi),
  UpgradeTimelock: new Interface(upgradeTimelockAbi),
  TestUSDC: new Interface(testUsdcAbi),
} as const;

type Sent = Promise<ContractTransactionResponse>;

type WithRoles = {
  hasRole(role: string, account: string): Promise<boolean>;
  grantRole(role: string, account: string): Sent;
  renounceRole(role: string, account: string): Sent;
};

/** Amounts are micro-USDC, rates micro-USDC per hour, times seconds. */
export type ComputeMarketContract = Contract &
  WithRoles & {
    deposit(amount: bigint): Sent;
    depositWithPermit(amount: bigint, deadline: bigint, v: number, r: string, s: string): Sent;
    setSpendingLimit(maxRatePerHour: bigint, maxLocked: bigint, validUntil: bigint | number): Sent;
    withdraw(amount: bigint): Sent;
    openLease(
      leaseKey: string | bigint,
      tenant: string,
      ratePerHour: bigint,
      durationSeconds: bigint | number,
      leaseRef: string,
    ): Sent;
    settleBatch(batch: string): Sent;
    closeLease(leaseKey: string | bigint, finalCumulative: bigint): Sent;
    extendLease(leaseKey: string | bigint, addedSeconds: bigint | number): Sent;
    stopLease(leaseKey: string | bigint): Sent;
    forceClose(leaseKey: string | bigint): Sent;
    cancelNonce(nonce: bigint): Sent;
    claim(chainProviderId: number): Sent;
    pause(): Sent;
    unpause(): Sent;
    tenantOf(tenant: string): Promise<{ free: bigint; locked: bigint; ratePerHour: bigint }>;
    spendingLimitOf(
      tenant: string,
    ): Promise<{ maxRatePerHour: bigint; maxLocked: bigint; validUntil: bigint }>;
    earningsOf(chainProviderId: number): Promise<{ earned: bigint; claimed: bigint }>;
    leaseOf(leaseKey: string | bigint): Promise<{
      tenant: string;
      lock: bigint;
      settled: bigint;
      ratePerHour: bigint;
      openedAt: bigint;
      open: boolean;
    }>;
    settleableOf(leaseKey: string | bigint): Promise<bigint>;
  };

export type ProviderRegistryContract = Contract &
  WithRoles & {
    register(payout: string, metadataHash: string): Sent;
    setPayout(payout: string): Sent;
    setMetadata(metadataHash: string): Sent;
    stake(amount: bigint): Sent;
    requestUnstake(amount: bigint): Sent;
    withdrawUnstaked(): Sent;
    /** 0 where the account owns no provider. */
    providerIdOf(owner: string): Promise<bigint>;
    ownerOf(chainProviderId: number): Promise<string>;
    payoutOf(chainProviderId: number): Promise<string>;
    stakeOf(chainProviderId: number): Promise<bigint>;
    providerOf(chainProviderId: number): Promise<{
      owner: string;
      stake: bigint;
      tier: bigint;
      suspended: boolean;
      payout: string;
      thawing: bigint;
      thawedAt: bigint;
      metadataHash: string;
    }>;
  };

/** What a provider proves to claim an era's reward: amounts are cumulative micro-USDC. */
export type EraReward = {
  readonly era: number;
  readonly providerId: number;
  readonly previous: bigint;
  readonly cumulative: bigint;
};

export type LivenessRewardsContract = Contract &
  WithRoles & {
    fund(era: number, amount: bigint): Sent;
    postRoot(era: number, root: string): Sent;
    disputeRoot(era: number, reasonHash: string): Sent;
    claim(reward: EraReward, proof: readonly string[]): Sent;
    currentEra(): Promise<bigint>;
    claimedOf(chainProviderId: number): Promise<bigint>;
    eraOf(era: number): Promise<{ pool: bigint; paid: bigint; claimableAt: bigint; root: string }>;
  };

export type TestUsdcContract = Contract & {
  mint(to: string, amount: bigint): Sent;
  approve(spender: string, amount: bigint): Sent;
  transfer(to: string, amount: bigint): Sent;
  balanceOf(account: string): Promise<bigint>;
  allowance(owner: string, spender: string): Promise<bigint>;
  nonces(owner: string): Promise<bigint>;
};

export const computeMarket = (address: string, runner: ContractRunner): ComputeMarketContract =>
  new Contract(address, interfaces.ComputeMarket, runner) as ComputeMarketContract;
export const providerRegistry = (address: string, runner: ContractRunner): ProviderRegistryContract =>
  new Contract(address, interfaces.ProviderRegistry, runner) as ProviderRegistryContract;
export const livenessRewards = (address: string, runner: ContractRunner): LivenessRewardsContract =>
  new Contract(address, interfaces.LivenessRewards, runner) as LivenessRewardsContract;
export const testUsdc = (address: string, runner: ContractRunner): TestUsdcContract =>
  new Contract(address, interfaces.TestUSDC, runner) as TestUsdcContract;
