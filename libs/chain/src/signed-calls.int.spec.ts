// Real: anvil, the contracts, the SDK's signatures, a wallet that is a contract.
import { type Order, ORDER_TYPES, type SpendingLimit, SPENDING_LIMIT_TYPES } from '@gridbourse/consent';
import { type Anvil, devKey, startAnvil } from '@gridbourse/infra';
import { signOrder, signSpendingLimit } from '@gridbourse/sdk';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { id, TypedDataEncoder, Wallet } from 'ethers';
import { deployContractWallet } from '../test/contract-wallet.ts';
import { openMarket, OPERATOR, TENANT } from '../test/market.ts';
import { chainProvider } from './chain-provider.ts';
import { type ComputeMarketContract, computeMarket, encodeCall, testUsdc } from './contracts.ts';
import type { Deployment } from './deployment.ts';
import { chainLeaseKey, leaseRefOf } from './lease-key.ts';
import { explainRevert } from './reverts.ts';
import { encodeOpenLeaseWithOrder, encodeSignedSpendingLimit } from './signed-calls.ts';

jest.setTimeout(60_000);

const FOR_EVER = 2 ** 40 - 1;

describe('what the SDK signs', () => {
  let anvil: Anvil;
  let deployment: Deployment;
  let provider: ReturnType<typeof chainProvider>;
  let market: ComputeMarketContract;
  let serial = 0n;

  beforeAll(async () => {
    anvil = await startAnvil();
    deployment = await openMarket(anvil.rpcUrl);
    provider = chainProvider(anvil.rpcUrl, deployment.chainId);
    market = computeMarket(deployment.contracts.ComputeMarket, provider);
  });
  afterAll(async () => {
    provider.destroy();
    await anvil.stop();
  });

  const there = () => ({
    chainId: deployment.chainId,
    computeMarket: deployment.contracts.ComputeMarket,
  });
  const tenantsKey = new Wallet(TENANT.privateKey);
  const orderOf = (): Order => ({
    tenant: TENANT.address,
    providerId: 1,
    maxRatePerHour: 3_600n,
    maxLock: 7_200n,
    deadline: FOR_EVER,
    nonce: 2n ** 255n + (serial += 1n),
    orderRef: id('ord_1'),
  });
  const limitOf = (tenant: string): SpendingLimit => ({
    tenant,
    maxRatePerHour: 11n,
    maxLocked: 12n,
    validUntil: 13,
    nonce: (serial += 1n),
    deadline: 2n ** 256n - 1n,
  });
  /** What becomes of a call that the relayer sends: `accepted`, or the contract's error. */
  const send = async (data: string, key = OPERATOR.privateKey): Promise<string> => {
    const to = deployment.contracts.ComputeMarket;
    try {
      const sent = await new Wallet(key, provider).sendTransaction({ to, data });
      return (await sent.wait())?.status === 1 ? 'accepted' : 'reverted';
    } catch (error) {
      return explainRevert(error).code;
    }
  };
  const opening = (order: Order, signature: string, leaseKey = chainLeaseKey(1, (serial += 1n))) =>
    encodeOpenLeaseWithOrder(
      { leaseKey, rateMicrosPerHour: 3_600n, durationSeconds: 7_200, leaseRef: leaseRefOf('lea_1') },
      order,
      signature,
    );

  it('has the types and the hashes of the contract', async () => {
    const typeHash = (types: typeof ORDER_TYPES | typeof SPENDING_LIMIT_TYPES, name: string) =>
      id(TypedDataEncoder.from(mutable(types)).encodeType(name));
    expect(await market.ORDER_TYPEHASH()).toBe(typeHash(ORDER_TYPES, 'Order'));
    expect(await market.SPENDING_LIMIT_TYPEHASH()).toBe(typeHash(SPENDING_LIMIT_TYPES, 'SpendingLimit'));
  });

  it('opens a lease when a relayer hands an order in, once', async () => {
    const { consent, signature } = await signOrder(tenantsKey, there(), orderOf());
    const leaseKey = chainLeaseKey(1, (serial += 1n));
    expect(await send(opening(consent, signature, leaseKey))).toBe('accepted');
    const { lock, ratePerHour, open } = await market.leaseOf(leaseKey);
    expect({ lock, ratePerHour, open }).toEqual({ lock: 7_200n, ratePerHour: 3_600n, open: true });
    expect(await send(opening(consent, signature))).toBe('NonceUsed');
  });

  it('is void when anything of it is changed, on another chain, at another contract, by another key', async () => {
    const order = orderOf();
    const { signature } = await signOrder(tenantsKey, there(), order);
    for (const changed of [
      { providerId: 0 },
      { maxRatePerHour: 3_601n },
      { maxLock: 7_201n },
      { deadline: FOR_EVER - 1 },
      { nonce: order.nonce + 1_000n },
      { orderRef: id('ord_2') },
      { tenant: devKey(11).address },
    ]) {
      expect(await send(opening({ ...order, ...changed }, signature))).toBe('InvalidSignature');
    }
    const foreign = async (key: Wallet, where: object) =>
      send(opening(order, (await signOrder(key, { ...there(), ...where }, order)).signature));
    expect(await foreign(tenantsKey, { chainId: 42_161 })).toBe('InvalidSignature');
    expect(await foreign(tenantsKey, { computeMarket: deployment.contracts.TestUSDC })).toBe(
      'InvalidSignature',
    );
    expect(await foreign(new Wallet(devKey(11).privateKey), {})).toBe('InvalidSignature');
    expect(await foreign(tenantsKey, {})).toBe('accepted');
  });

  it('sets a spending limit, whoever hands it in', async () => {
    const { consent, signature } = await signSpendingLimit(tenantsKey, there(), limitOf(TENANT.address));
    expect(await send(encodeSignedSpendingLimit(consent, signature), devKey(30).privateKey)).toBe('accepted');
    const { maxRatePerHour, maxLocked, validUntil } = await market.spendingLimitOf(TENANT.address);
    expect([maxRatePerHour, maxLocked, validUntil]).toEqual([11n, 12n, 13n]);
    const higher = { ...consent, maxLocked: 13n };
    expect(await send(encodeSignedSpendingLimit(higher, signature))).toBe('InvalidSignature');
  });

  it('is accepted for a wallet that is a contract (ERC-1271), by its owner alone', async () => {
    const owner = new Wallet(devKey(31).privateKey, provider);
    const wallet = await deployContractWallet(owner);
    const { TestUSDC, ComputeMarket } = deployment.contracts;
    await (await testUsdc(TestUSDC, owner).mint(wallet.address, 100_000n)).wait();
    await wallet.execute(TestUSDC, encodeCall('TestUSDC', 'approve', [ComputeMarket, 100_000n]));
    await wallet.execute(ComputeMarket, encodeCall('ComputeMarket', 'deposit', [100_000n]));

    const order = { ...orderOf(), tenant: wallet.address };
    const stranger = await signOrder(tenantsKey, there(), order);
    expect(await send(opening(order, stranger.signature))).toBe('InvalidSignature');
    const { signature } = await signOrder(owner, there(), order);
    expect(await send(opening(order, signature))).toBe('accepted');
    const { free, locked } = await market.tenantOf(wallet.address);
    expect([free, locked]).toEqual([92_800n, 7_200n]);

    const limit = await signSpendingLimit(owner, there(), limitOf(wallet.address));
    expect(await send(encodeSignedSpendingLimit(limit.consent, limit.signature))).toBe('accepted');
  });
});

const mutable = (types: Readonly<Record<string, readonly { name: string; type: string }[]>>) =>
  Object.fromEntries(Object.entries(types).map(([name, fields]) => [name, [...fields]]));
