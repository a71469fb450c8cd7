import {
  consentDomain,
  demandAddress,
  demandCount,
  demandHash,
  demandUnsigned,
  type Market,
} from './domain.ts';
import type { TypedData } from './typed-data.ts';

/** What a tenant agrees to for one lease (`Order` of SignedConsent.sol). It opens one lease, or none. */
export type Order = {
  /** Who pays. */
  readonly tenant: string;
  /** The only provider that may serve it, by its id on chain; 0 for any. */
  readonly providerId: number;
  /** Highest rate, micro-USDC per hour. */
  readonly maxRatePerHour: bigint;
  /** Highest lock, micro-USDC. */
  readonly maxLock: bigint;
  /** Last second (since 1970) in which the lease may be opened. */
  readonly deadline: number;
  /** Any number below 2^256 that the tenant has not used yet, also for spending limits. */
  readonly nonce: bigint;
  /** keccak256 of the UTF-8 text of the order's id. */
  readonly orderRef: string;
};

export const ORDER_TYPES = {
  Order: [
    { name: 'tenant', type: 'address' },
    { name: 'providerId', type: 'uint32' },
    { name: 'maxRatePerHour', type: 'uint64' },
    { name: 'maxLock', type: 'uint64' },
    { name: 'deadline', type: 'uint40' },
    { name: 'nonce', type: 'uint256' },
    { name: 'orderRef', type: 'bytes32' },
  ],
} as const;

/**
 * What the tenant's wallet signs for an order.
 * @throws DomainError `invalid_consent`
 */
export const orderTypedData = (market: Market, order: Order): TypedData<Order> => {
  demandAddress('tenant', order.tenant);
  demandCount('providerId', order.providerId, 32);
  demandUnsigned('maxRatePerHour', order.maxRatePerHour, 64);
  demandUnsigned('maxLock', order.maxLock, 64);
  demandCount('deadline', order.deadline, 40);
  demandUnsigned('nonce', order.nonce, 256);
  demandHash('orderRef', order.orderRef);
  return { domain: consentDomain(market), types: ORDER_TYPES, primaryType: 'Order', message: order };
};
