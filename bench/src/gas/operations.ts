import { chainLeaseKey, interfaces, leaseRefOf } from '@gridbourse/chain';
import { Signature, ZeroHash } from 'ethers';
import { type Cost } from './chain.ts';
import {
  DAY_SECONDS,
  type GasMarket,
  HOUR_SECONDS,
  OPERATOR,
  openLeaseData,
  payoutOf,
  RATE_MICROS_PER_HOUR,
  settleData,
  TENANT,
  TENANT_WALLET,
} from './market.ts';

const LEASE = { providerId: 1, serial: 900_000n };
const NEXT_LEASE = { providerId: 1, serial: 900_001n };
const AMOUNT_MICROS = 25_000_000n;
const LOCAL_CHAIN_ID = 31_337;
const market = interfaces.ComputeMarket;
const usdc = interfaces.TestUSDC;
const key = chainLeaseKey(LEASE.providerId, LEASE.serial);

const domain = (name: string, verifyingContract: string): object => ({
  name,
  version: '1',
  chainId: LOCAL_CHAIN_ID,
  verifyingContract,
});
const field = (type: string, name: string): { type: string; name: string } => ({ type, name });

/** The data of each form of deposit, as a tenant without an allowance sends it or has it sent. */
const signedDeposits = async ({
  chain,
  addresses,
}: GasMarket): Promise<Record<'depositWithPermit' | 'depositWithAuthorization', string>> => {
  const token = domain('USD Coin (test)', addresses.TestUSDC);
  const deadline = BigInt(await chain.now()) + BigInt(DAY_SECONDS);
  const permit = {
    owner: TENANT,
    spender: addresses.ComputeMarket,
    value: AMOUNT_MICROS,
    nonce: 0n,
    deadline,
  };
  const permitTypes = {
    Permit: [
      field('address', 'owner'),
      field('address', 'spender'),
      field('uint256', 'value'),
      field('uint256', 'nonce'),
      field('uint256', 'deadline'),
    ],
  };
  const authorization = {
    from: TENANT,
    to: addresses.ComputeMarket,
    value: AMOUNT_MICROS,
    validAfter: 0n,
    validBefore: deadline,
    nonce: leaseRefOf('authorization'),
  };
  const authorizationTypes = {
    ReceiveWithAuthorization: [
      field('address', 'from'),
      field('address', 'to'),
      field('uint256', 'value'),
      field('uint256', 'validAfter'),
      field('uint256', 'validBefore'),
      field('bytes32', 'nonce'),
    ],
  };
  const p = Signature.from(await TENANT_WALLET.signTypedData(token, permitTypes, permit));
  const a = Signature.from(await TENANT_WALLET.signTypedData(token, authorizationTypes, authorization));
  return {
    depositWithPermit: market.encodeFunctionData('depositWithPermit', [
      AMOUNT_MICROS,
      deadline,
      p.v,
      p.r,
      p.s,
    ]),
    depositWithAuthorization: market.encodeFunctionData('depositWithAuthorization', [
      TENANT,
      AMOUNT_MICROS,
      0n,
      deadline,
      authorization.nonce,
      a.v,
      a.r,
      a.s,
    ]),
  };
};

const openWithOrder = async ({ addresses }: GasMarket): Promise<string> => {
  const order = {
    tenant: TENANT,
    providerId: NEXT_LEASE.providerId,
    maxRatePerHour: RATE_MICROS_PER_HOUR,
    maxLock: 10n ** 9n,
    deadline: 2 ** 40 - 1,
    nonce: 7n,
    orderRef: leaseRefOf('order'),
  };
  const types = {
    Order: [
      field('address', 'tenant'),
      field('uint32', 'providerId'),
      field('uint64', 'maxRatePerHour'),
      field('uint64', 'maxLock'),
      field('uint40', 'deadline'),
      field('uint256', 'nonce'),
      field('bytes32', 'orderRef'),
    ],
  };
  const own = domain('Gridbourse ComputeMarket', addresses.ComputeMarket);
  const signature = await TENANT_WALLET.signTypedData(own, types, order);
  const nextKey = chainLeaseKey(NEXT_LEASE.providerId, NEXT_LEASE.serial);
  const args = [nextKey, RATE_MICROS_PER_HOUR, DAY_SECONDS, ZeroHash, order, signature];
  return market.encodeFunctionData('openLeaseWithOrder', args);
};

/** Every operation by itself, on accounts and a lease that have had one before: nothing goes from zero but what is new. */
export const operationCosts = async (at: GasMarket): Promise<Record<string, Cost>> => {
  const { chain, addresses } = at;
  const to = addresses.ComputeMarket;
  const costs: Record<string, Cost> = {};
  const measure = async (name: string, from: string, data: string): Promise<void> => {
    costs[name] = await chain.undone(() => chain.send({ from, to, data }));
  };
  await chain.undone(async () => {
    await chain.send({ from: OPERATOR, to, data: openLeaseData(LEASE) });
    await chain.pass(HOUR_SECONDS);
    await chain.send({ from: OPERATOR, to, data: settleData([LEASE], [1_234_567n]) });
    const claim = market.encodeFunctionData('claim', [LEASE.providerId]);
    await chain.send({ from: payoutOf(LEASE.providerId), to, data: claim });
    await chain.pass(HOUR_SECONDS);
    await chain.send({ from: OPERATOR, to, data: settleData([LEASE], [2_000_000n]) });

    await measure('openLease', OPERATOR, openLeaseData(NEXT_LEASE));
    await measure('openLeaseWithOrder', OPERATOR, await openWithOrder(at));
    await measure('extendLease', TENANT, market.encodeFunctionData('extendLease', [key, DAY_SECONDS]));
    await measure('closeLease', OPERATOR, market.encodeFunctionData('closeLease', [key, 2_345_678n]));
    await measure('stopLease', TENANT, market.encodeFunctionData('stopLease', [key]));
    await measure('claim', payoutOf(LEASE.providerId), claim);
    await measure('withdraw', TENANT, market.encodeFunctionData('withdraw', [AMOUNT_MICROS]));
    await measure('deposit', TENANT, market.encodeFunctionData('deposit', [AMOUNT_MICROS]));
    await chain.undone(async () => {
      const revoke = usdc.encodeFunctionData('approve', [addresses.ComputeMarket, 0n]);
      await chain.send({ from: TENANT, to: addresses.TestUSDC, data: revoke });
      const forms = await signedDeposits(at);
      await measure('depositWithPermit', TENANT, forms.depositWithPermit);
      await measure('depositWithAuthorization', OPERATOR, forms.depositWithAuthorization);
    });
    await chain.pass(2 * DAY_SECONDS);
    await measure('forceClose', TENANT, market.encodeFunctionData('forceClose', [key]));
  });
  return costs;
};
