import { describe, expect, it } from '@jest/globals';
import { type FundingRequest, refuseFunding } from './funding.ts';

const request: FundingRequest = {
  rateMicrosPerHour: 100n,
  lockMicros: 50n,
  freeMicros: 80n,
  reservedMicros: 30n,
  openRateMicrosPerHour: 900n,
  openLocksMicros: 150n,
  limit: { maxRateMicrosPerHour: 1_000n, maxLockedMicros: 200n, validUntilSeconds: 100 },
  now: 100_999,
};
const refused = (change: Partial<FundingRequest>) => refuseFunding({ ...request, ...change });

describe('funding', () => {
  it('goes ahead up to the last micro and the last second', () => expect(refused({})).toBeNull());

  it.each([
    ['what is free and not spoken for', { freeMicros: 79n }, 'insufficient_escrow', 1n],
    ['what is free, when more is spoken for', { freeMicros: 20n }, 'insufficient_escrow', 50n],
    ['the rate of all open leases', { openRateMicrosPerHour: 901n }, 'spending_limit', 1n],
    ['the locks of all open leases', { openLocksMicros: 160n }, 'spending_limit', 10n],
    ['the time of the consent', { now: 101_000 }, 'spending_limit', 0n],
    ['the consent itself', { limit: null }, 'spending_limit', 0n],
  ])('is bounded by %s', (_, change, cause, shortfallMicros) => {
    expect(refused(change)).toMatchObject({ cause, shortfallMicros });
  });
});
