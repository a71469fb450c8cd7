import { devKey } from '@gridbourse/infra';
import { MaxUint256, Wallet } from 'ethers';
import { encodeOpenLease } from '../src/calldata.ts';
import { computeMarket, providerRegistry, testUsdc } from '../src/contracts.ts';
import { chainProvider } from '../src/chain-provider.ts';
import { deployContracts } from '../src/deploy/deploy.ts';
import type { Deployment } from '../src/deployment.ts';
import { chainLeaseKey, leaseRefOf } from '../src/lease-key.ts';

export const OPERATOR = devKey(1);
export const TENANT = devKey(10);
export const PROVIDER = devKey(20);
/** 3.60 USDC an hour: 1,000 micros a second. */
export const RATE = 3_600_000n;

/** Contracts, one provider (chain id 1), one tenant with an escrow of so many micros and a wide consent. */
export const openMarket = async (rpcUrl: string, escrowMicros = 1_000_000_000n): Promise<Deployment> => {
  const deployment = await deployContracts({
    rpcUrl,
    deployerKey: devKey(0).privateKey,
    roles: { operator: [OPERATOR.address], pauser: [devKey(3).address] },
  });
  const { contracts } = deployment;
  const provider = chainProvider(rpcUrl, deployment.chainId);
  try {
    const tenant = new Wallet(TENANT.privateKey, provider);
    const usdc = testUsdc(contracts.TestUSDC, tenant);
    const market = computeMarket(contracts.ComputeMarket, tenant);
    await (await usdc.mint(tenant.address, escrowMicros)).wait();
    await (await usdc.approve(contracts.ComputeMarket, MaxUint256)).wait();
    await (await market.deposit(escrowMicros)).wait();
    await (await market.setSpendingLimit(10n ** 15n, 10n ** 15n, 2 ** 40 - 1)).wait();
    const owner = new Wallet(PROVIDER.privateKey, provider);
    await (
      await providerRegistry(contracts.ProviderRegistry, owner).register(owner.address, leaseRefOf('p'))
    ).wait();
  } finally {
    provider.destroy();
  }
  return deployment;
};

export const openLease = (serial: bigint, durationSeconds = 3_600): string =>
  encodeOpenLease({
    leaseKey: chainLeaseKey(1, serial),
    tenant: TENANT.address,
    rateMicrosPerHour: RATE,
    durationSeconds,
    leaseRef: leaseRefOf(`lease ${serial}`),
  });
