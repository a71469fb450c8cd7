import type { Order, SpendingLimit } from '@gridbourse/consent';
import type { OpenLease } from './calldata.ts';
import { encodeCall } from './contracts.ts';
import { splitLeaseKey } from './lease-key.ts';

/**
 * Opens a lease within an order that its tenant signed, whatever the tenant's spending limit is. Only the operator may
 * send it. `tenant` of the lease is the order's.
 * @param signature empty (`0x`) for an order that the tenant put on chain itself
 * @throws DomainError `invalid_lease_key`
 */
export const encodeOpenLeaseWithOrder = (
  lease: Omit<OpenLease, 'tenant'>,
  order: Order,
  signature: string,
): string => {
  splitLeaseKey(lease.leaseKey);
  return encodeCall('ComputeMarket', 'openLeaseWithOrder', [
    lease.leaseKey,
    lease.rateMicrosPerHour,
    lease.durationSeconds,
    lease.leaseRef,
    order,
    signature,
  ]);
};

/** Hands in a spending limit that its tenant signed. Anyone may send it. */
export const encodeSignedSpendingLimit = (limit: SpendingLimit, signature: string): string =>
  encodeCall('ComputeMarket', 'setSpendingLimitWithSignature', [
    limit.tenant,
    limit.maxRatePerHour,
    limit.maxLocked,
    limit.validUntil,
    limit.nonce,
    limit.deadline,
    signature,
  ]);
