import { consentDomain, demandAddress, demandCount, demandUnsigned, type Market } from './domain.ts';
import type { TypedData } from './typed-data.ts';

/** A tenant's standing consent: what the operator may have open in its name at any one time. All zero withdraws it. */
export type SpendingLimit = {
  readonly tenant: string;
  /** Highest sum of the hourly rates of open leases, micro-USDC per hour. */
  readonly maxRatePerHour: bigint;
  /** Highest sum of the locks of open leases, micro-USDC. */
  readonly maxLocked: bigint;
  /** Last second (since 1970) in which leases may be opened or extended. */
  readonly validUntil: number;
  /** Any number below 2^256 that the tenant has not used yet, also for orders. */
  readonly nonce: bigint;
  /** Last second (since 1970) in which the signature may be handed in. */
  readonly deadline: bigint;
};

export const SPENDING_LIMIT_TYPES = {
  SpendingLimit: [
    { name: 'tenant', type: 'address' },
    { name: 'maxRatePerHour', type: 'uint64' },
    { name: 'maxLocked', type: 'uint64' },
    { name: 'validUntil', type: 'uint40' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
} as const;

/**
 * What the tenant's wallet signs for a spending limit.
 * @throws DomainError `invalid_consent`
 */
export const spendingLimitTypedData = (market: Market, limit: SpendingLimit): TypedData<SpendingLimit> => {
  demandAddress('tenant', limit.tenant);
  demandUnsigned('maxRatePerHour', limit.maxRatePerHour, 64);
  demandUnsigned('maxLocked', limit.maxLocked, 64);
  demandCount('validUntil', limit.validUntil, 40);
  demandUnsigned('nonce', limit.nonce, 256);
  demandUnsigned('deadline', limit.deadline, 256);
  return {
    domain: consentDomain(market),
    types: SPENDING_LIMIT_TYPES,
    primaryType: 'SpendingLimit',
    message: limit,
  };
};
