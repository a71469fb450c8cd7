import { describe, expect, it } from '@jest/globals';
import { type Order, orderTypedData } from './order.ts';
import { type SpendingLimit, spendingLimitTypedData } from './spending-limit.ts';

const address = `0x${'ab'.repeat(20)}`;
const market = { chainId: 42_161, computeMarket: `0x${'cd'.repeat(20)}` };
const order: Order = {
  tenant: address,
  providerId: 0,
  maxRatePerHour: 2n ** 64n - 1n,
  maxLock: 1n,
  deadline: 2 ** 40 - 1,
  nonce: 2n ** 256n - 1n,
  orderRef: `0x${'01'.repeat(32)}`,
};
const limit: SpendingLimit = {
  tenant: address,
  maxRatePerHour: 0n,
  maxLocked: 0n,
  validUntil: 0,
  nonce: 0n,
  deadline: 0n,
};

describe('what a tenant signs', () => {
  it('is good on one contract of one chain', () => {
    expect(orderTypedData(market, order)).toMatchObject({
      domain: { name: 'Gridbourse ComputeMarket', version: '1', chainId: 42_161 },
      primaryType: 'Order',
      message: order,
    });
    expect(spendingLimitTypedData(market, limit).domain.verifyingContract).toBe(market.computeMarket);
  });

  it.each<[string, Partial<Order>]>([
    ['tenant', { tenant: 'me' }],
    ['providerId', { providerId: 2 ** 32 }],
    ['providerId', { providerId: 0.5 }],
    ['maxRatePerHour', { maxRatePerHour: 2n ** 64n }],
    ['maxLock', { maxLock: -1n }],
    ['deadline', { deadline: 2 ** 40 }],
    ['nonce', { nonce: 2n ** 256n }],
    ['orderRef', { orderRef: '0x01' }],
  ])('is refused before it is signed where the contract could not take it: %s', (field, changed) => {
    expect(() => orderTypedData(market, { ...order, ...changed })).toThrow(
      expect.objectContaining({
        code: 'invalid_consent',
        faults: [expect.objectContaining({ pointer: `/${field}` })],
      }),
    );
  });

  it.each<[string, Partial<SpendingLimit>]>([
    ['tenant', { tenant: '' }],
    ['maxRatePerHour', { maxRatePerHour: -1n }],
    ['maxLocked', { maxLocked: 2n ** 64n }],
    ['validUntil', { validUntil: -1 }],
    ['nonce', { nonce: -1n }],
    ['deadline', { deadline: 2n ** 256n }],
  ])('and so is a limit: %s', (field, changed) => {
    expect(() => spendingLimitTypedData(market, { ...limit, ...changed })).toThrow(
      expect.objectContaining({
        code: 'invalid_consent',
        faults: [expect.objectContaining({ pointer: `/${field}` })],
      }),
    );
  });

  it('names no market that cannot be', () => {
    expect(() => orderTypedData({ ...market, chainId: 0 }, order)).toThrow('chainId');
    expect(() => orderTypedData({ ...market, computeMarket: '0x' }, order)).toThrow('computeMarket');
  });
});
