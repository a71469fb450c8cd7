import { nextInt, type Random, seededRandom } from '@gridbourse/kernel';
import {
  chainLeaseKey,
  type Deployment,
  deployContracts,
  encodeOpenLease,
  encodeSettleBatch,
  interfaces,
  leaseRefOf,
} from '@gridbourse/chain';
import { devKey } from '@gridbourse/infra';
import { Wallet } from 'ethers';
import { type Cost, type GasChain } from './chain.ts';

export const ADMIN = devKey(0).address;
export const OPERATOR = devKey(1).address;
export const TENANT_WALLET = new Wallet(devKey(10).privateKey);
export const TENANT = TENANT_WALLET.address.toLowerCase();
/** 1,000 micros a second. */
export const RATE_MICROS_PER_HOUR = 3_600_000n;
export const DAY_SECONDS = 86_400;
export const HOUR_SECONDS = 3_600;
const MAX_UINT64 = 2n ** 64n - 1n;
const FOREVER = 2 ** 40 - 1;
const AMOUNTS_SEED = 7;
const ESCROW_MICROS = 10n ** 12n;

export type LeaseAt = { readonly providerId: number; readonly serial: bigint };
export type GasMarket = {
  readonly chain: GasChain;
  readonly addresses: Required<Deployment['contracts']>;
};

const account = (prefix: number, index: number): string =>
  `0x${((BigInt(prefix) << 64n) + BigInt(index)).toString(16).padStart(40, '0')}`;
export const ownerOf = (providerId: number): string => account(0xb0, providerId);
export const payoutOf = (providerId: number): string => account(0xf0, providerId);
export const payeeOf = (index: number): string => account(0xe0, index);

/** The contracts, providers, and a tenant with an escrow and a consent to anything. */
export const openGasMarket = async (chain: GasChain, providers: number): Promise<GasMarket> => {
  const { contracts } = await deployContracts({
    rpcUrl: chain.url,
    deployerKey: devKey(0).privateKey,
    roles: { operator: [OPERATOR] },
  });
  const addresses = contracts as GasMarket['addresses'];
  const { ComputeMarket: market, ProviderRegistry: registry, TestUSDC: usdc } = interfaces;
  const tenantSends = (to: string, data: string): Promise<Cost> => chain.send({ from: TENANT, to, data });
  await tenantSends(addresses.TestUSDC, usdc.encodeFunctionData('mint', [TENANT, ESCROW_MICROS * 4n]));
  await tenantSends(
    addresses.TestUSDC,
    usdc.encodeFunctionData('approve', [addresses.ComputeMarket, 2n ** 256n - 1n]),
  );
  await tenantSends(addresses.ComputeMarket, market.encodeFunctionData('deposit', [ESCROW_MICROS]));
  const limit = [MAX_UINT64, MAX_UINT64, FOREVER];
  await tenantSends(addresses.ComputeMarket, market.encodeFunctionData('setSpendingLimit', limit));
  for (let providerId = 1; providerId <= providers; providerId += 1) {
    await chain.send({
      from: ownerOf(providerId),
      to: addresses.ProviderRegistry,
      data: registry.encodeFunctionData('register', [payoutOf(providerId), leaseRefOf(`p${providerId}`)]),
    });
  }
  return { chain, addresses };
};

/** Leases spread at random over the first providers, numbered by provider from a serial on. */
export const spread = (random: Random, count: number, providers: number, firstSerial: bigint): LeaseAt[] => {
  const opened = new Map<number, bigint>();
  return Array.from({ length: count }, () => {
    const providerId = 1 + nextInt(random, providers);
    const serial = firstSerial + (opened.get(providerId) ?? 0n);
    opened.set(providerId, serial - firstSerial + 1n);
    return { providerId, serial };
  });
};

export const openLeaseData = ({ providerId, serial }: LeaseAt): string =>
  encodeOpenLease({
    leaseKey: chainLeaseKey(providerId, serial),
    tenant: TENANT,
    rateMicrosPerHour: RATE_MICROS_PER_HOUR,
    durationSeconds: DAY_SECONDS,
    leaseRef: leaseRefOf(`lease ${providerId} ${serial}`),
  });

export const openLeases = async (
  { chain, addresses }: GasMarket,
  leases: readonly LeaseAt[],
): Promise<void> => {
  for (const lease of leases) {
    await chain.send({ from: OPERATOR, to: addresses.ComputeMarket, data: openLeaseData(lease) });
  }
};

/** Amounts as meters find them: no two alike. Above `fromMicros`, by less than a USDC. */
export const amountsAbove = (fromMicros: bigint, count: number): bigint[] => {
  const random = seededRandom(AMOUNTS_SEED);
  return Array.from({ length: count }, () => fromMicros + BigInt(nextInt(random, 1_000_000)));
};

export const settleData = (leases: readonly LeaseAt[], cumulativeMicros: readonly bigint[]): string =>
  encodeSettleBatch(
    leases.map(({ providerId, serial }, index) => ({
      leaseKey: chainLeaseKey(providerId, serial),
      cumulativeMicros: cumulativeMicros[index]!,
    })),
  );
