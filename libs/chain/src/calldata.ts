import { DomainError } from '@gridbourse/kernel';
import { encodeCall } from './contracts.ts';
import { splitLeaseKey } from './lease-key.ts';
import { packBatch, type SettlementRow } from './settlement-batch.ts';

const MAX_UINT32 = 0xffff_ffff;

export type OpenLease = {
  readonly leaseKey: string;
  readonly tenant: string;
  readonly rateMicrosPerHour: bigint;
  /** The contract locks ceil(rate x duration / 3600). */
  readonly durationSeconds: number;
  /** `leaseRefOf(leaseId)` */
  readonly leaseRef: string;
};

/** @throws DomainError `invalid_lease_key`, `invalid_duration` */
export const encodeOpenLease = (lease: OpenLease): string => {
  splitLeaseKey(lease.leaseKey);
  const { durationSeconds } = lease;
  if (!Number.isInteger(durationSeconds) || durationSeconds < 1 || durationSeconds > MAX_UINT32) {
    throw new DomainError('invalid', 'invalid_duration', `${durationSeconds} s do not fit the contract`);
  }
  return encodeCall('ComputeMarket', 'openLease', [
    lease.leaseKey,
    lease.tenant,
    lease.rateMicrosPerHour,
    durationSeconds,
    lease.leaseRef,
  ]);
};

/** Amounts are cumulative: all that a lease shall have been paid so far. */
export const encodeSettleBatch = (rows: readonly SettlementRow[]): string =>
  encodeCall('ComputeMarket', 'settleBatch', [packBatch(rows)]);

export const encodeCloseLease = (leaseKey: string, cumulativeMicros: bigint): string => {
  splitLeaseKey(leaseKey);
  return encodeCall('ComputeMarket', 'closeLease', [leaseKey, cumulativeMicros]);
};
