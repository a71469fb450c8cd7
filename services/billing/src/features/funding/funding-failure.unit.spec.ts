import { expect, it } from '@jest/globals';
import { fundingFailureOf } from './funding-failure.ts';

it.each([
  ['InsufficientFree', { free: '3', needed: '10' }, 'insufficient_escrow', 7n],
  ['SpendingLimitExpired', { validUntil: '0' }, 'spending_limit', 0n],
  ['SpendingLimitExceeded', { locked: '11', maxLocked: '10' }, 'spending_limit', 1n],
  ['RateLimitExceeded', { ratePerHour: '12', maxRatePerHour: '10' }, 'spending_limit', 2n],
  ['LeaseKeyUsed', {}, 'rejected_by_contract', 0n],
  ['NotARevert', {}, 'chain_unavailable', 0n],
])('a refusal with %s tells the market why and by how much', (code, args, cause, shortfallMicros) => {
  expect(fundingFailureOf({ code, message: code, args: args })).toEqual({
    cause,
    detail: code,
    shortfallMicros,
  });
});
