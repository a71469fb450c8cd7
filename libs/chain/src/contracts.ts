import { Contract, type ContractRunner, Interface } from 'ethers';
import { abi as computeMarketAbi, type ComputeMarketFunctions } from './generated/ComputeMarket.ts';
import { abi as livenessRewardsAbi, type LivenessRewardsFunctions } from './generated/LivenessRewards.ts';
import { abi as providerRegistryAbi, type ProviderRegistryFunctions } from './generated/ProviderRegistry.ts';
import { abi as testUsdcAbi, type TestUSDCFunctions } from './generated/TestUSDC.ts';
import { abi as upgradeTimelockAbi, type UpgradeTimelockFunctions } from './generated/UpgradeTimelock.ts';
import type { ArgumentsOf, TypedContract } from './typed-contract.ts';

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

export type {
  ComputeMarketFunctions,
  LivenessRewardsFunctions,
  ProviderRegistryFunctions,
  TestUSDCFunctions,
  UpgradeTimelockFunctions,
};

type Functions = {
  ComputeMarket: ComputeMarketFunctions;
  ProviderRegistry: ProviderRegistryFunctions;
  LivenessRewards: LivenessRewardsFunctions;
  UpgradeTimelock: UpgradeTimelockFunctions;
  TestUSDC: TestUSDCFunctions;
};

/** Amounts are micro-USDC, rates micro-USDC per hour, times seconds. */
export type ComputeMarketContract = TypedContract<ComputeMarketFunctions>;
export type ProviderRegistryContract = TypedContract<ProviderRegistryFunctions>;
export type LivenessRewardsContract = TypedContract<LivenessRewardsFunctions>;
export type UpgradeTimelockContract = TypedContract<UpgradeTimelockFunctions>;
export type TestUsdcContract = TypedContract<TestUSDCFunctions>;

/** What a provider proves to claim an era's reward: amounts are cumulative micro-USDC. */
export type EraReward = ArgumentsOf<LivenessRewardsFunctions, 'claim'>[0];

const typed =
  <Name extends keyof Functions>(name: Name) =>
  (address: string, runner: ContractRunner): TypedContract<Functions[Name]> =>
    new Contract(address, interfaces[name], runner) as unknown as TypedContract<Functions[Name]>;

export const computeMarket = typed('ComputeMarket');
export const providerRegistry = typed('ProviderRegistry');
export const livenessRewards = typed('LivenessRewards');
export const upgradeTimelock = typed('UpgradeTimelock');
export const testUsdc = typed('TestUSDC');

/** Calldata of one of a contract's functions. */
export const encodeCall = <Name extends keyof Functions, Call extends keyof Functions[Name] & string>(
  contract: Name,
  call: Call,
  args: ArgumentsOf<Functions[Name], Call>,
): string => interfaces[contract].encodeFunctionData(call, args as readonly unknown[]);
