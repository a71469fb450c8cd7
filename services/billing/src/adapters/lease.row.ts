import type { Id, LeaseId } from '@gridbourse/kernel';
import { type Agreement, type BilledLease, meteredMicros, nextAlarmOf } from '../domain/lease.ts';
import type { LockChange } from '../domain/rating.ts';
import type { SettlementKind } from '../domain/settlement.ts';
import { bigintOrNull, numberOrNull } from './sql.ts';

/** A row of `leases` as the driver gives it. */
export type LeaseRow = {
  lease_id: LeaseId;
  order_id: string | null;
  account_id: Id<'account'>;
  tenant: string;
  provider_id: Id<'provider'>;
  chain_provider_id: string;
  offer_id: string;
  group_name: string;
  rate_micros_per_hour: string;
  duration_seconds: number;
  lock_micros: string;
  list_rate_micros_per_hour: string | null;
  lease_ref: string;
  proposed_at_ms: string;
  opening: BilledLease['opening'];
  open_requested_at_ms: string | null;
  lease_key: string | null;
  lapsed_at_ms: string | null;
  opened_at_ms: string | null;
  lock_added_micros: string;
  lock_freed_micros: string;
  stops_at_ms: string | null;
  settled_micros: string;
  refunded_micros: string | null;
  closed_at_ms: string | null;
  told_paid_micros: string | null;
  told_refunded_micros: string | null;
  cumulative_seconds: number;
  counted_to_ms: string | null;
  running_from_ms: string | null;
  degraded_at_ms: string | null;
  meter_closed_at_ms: string | null;
  warned_seconds: number | null;
  exhausted: boolean;
  in_flight_id: Id<'settlement'> | null;
  in_flight_kind: SettlementKind | null;
  retry_not_before_ms: string | null;
  failures: number;
  owed_since_ms: string | null;
  stream_version: number;
  changes: string;
};

const agreementOf = (row: LeaseRow): Agreement | null =>
  row.order_id === null
    ? null
    : {
        orderId: row.order_id,
        accountId: row.account_id,
        tenant: row.tenant,
        providerId: row.provider_id,
        chainProviderId: Number(row.chain_provider_id),
        offerId: row.offer_id,
        groupName: row.group_name,
        rateMicrosPerHour: BigInt(row.rate_micros_per_hour),
        durationSeconds: row.duration_seconds,
        lockMicros: BigInt(row.lock_micros),
        listRateMicrosPerHour: bigintOrNull(row.list_rate_micros_per_hour),
        leaseRef: row.lease_ref,
        proposedAtMs: Number(row.proposed_at_ms),
      };

export const lockChangeOf = (
  row: Pick<LeaseRow, 'lock_added_micros' | 'lock_freed_micros' | 'stops_at_ms'>,
): LockChange => ({
  addedMicros: BigInt(row.lock_added_micros),
  freedMicros: BigInt(row.lock_freed_micros),
  stopsAtMs: numberOrNull(row.stops_at_ms),
});

export const leaseOfRow = (row: LeaseRow): BilledLease => ({
  leaseId: row.lease_id,
  agreement: agreementOf(row),
  opening: row.opening,
  openRequestedAtMs: numberOrNull(row.open_requested_at_ms),
  leaseKey: row.lease_key,
  lapsedAtMs: numberOrNull(row.lapsed_at_ms),
  openedAtMs: numberOrNull(row.opened_at_ms),
  lockChange: lockChangeOf(row),
  settledMicros: BigInt(row.settled_micros),
  refundedMicros: bigintOrNull(row.refunded_micros),
  closedAtMs: numberOrNull(row.closed_at_ms),
  told:
    row.told_paid_micros === null || row.told_refunded_micros === null
      ? null
      : { paidMicros: BigInt(row.told_paid_micros), refundedMicros: BigInt(row.told_refunded_micros) },
  meter: {
    cumulativeSeconds: row.cumulative_seconds,
    countedToMs: numberOrNull(row.counted_to_ms),
    runningFromMs: numberOrNull(row.running_from_ms),
    degradedAtMs: numberOrNull(row.degraded_at_ms),
    closed: row.meter_closed_at_ms !== null,
  },
  meterClosedAtMs: numberOrNull(row.meter_closed_at_ms),
  alarms: { warnedSeconds: row.warned_seconds, exhausted: row.exhausted },
  inFlight:
    row.in_flight_id === null || row.in_flight_kind === null
      ? null
      : { settlementId: row.in_flight_id, kind: row.in_flight_kind },
  retryNotBeforeMs: numberOrNull(row.retry_not_before_ms),
  failures: row.failures,
  owedSinceMs: numberOrNull(row.owed_since_ms),
});

const text = (micros: bigint | null | undefined): string | null => micros?.toString() ?? null;

/** The row to be written; what follows from other fields (earned, next alarm) is computed here, for the indexes. */
export const rowOfLease = (lease: BilledLease, streamVersion: number): Record<string, unknown> => {
  const { agreement, meter } = lease;
  return {
    lease_id: lease.leaseId,
    order_id: agreement?.orderId ?? null,
    account_id: agreement?.accountId ?? null,
    tenant: agreement?.tenant ?? null,
    provider_id: agreement?.providerId ?? null,
    chain_provider_id: agreement?.chainProviderId ?? null,
    offer_id: agreement?.offerId ?? null,
    group_name: agreement?.groupName ?? null,
    rate_micros_per_hour: text(agreement?.rateMicrosPerHour),
    duration_seconds: agreement?.durationSeconds ?? null,
    lock_micros: text(agreement?.lockMicros),
    list_rate_micros_per_hour: text(agreement?.listRateMicrosPerHour),
    lease_ref: agreement?.leaseRef ?? null,
    proposed_at_ms: agreement?.proposedAtMs ?? null,
    opening: lease.opening,
    open_requested_at_ms: lease.openRequestedAtMs,
    lease_key: lease.leaseKey,
    lapsed_at_ms: lease.lapsedAtMs,
    opened_at_ms: lease.openedAtMs,
    lock_added_micros: text(lease.lockChange.addedMicros),
    lock_freed_micros: text(lease.lockChange.freedMicros),
    stops_at_ms: lease.lockChange.stopsAtMs,
    settled_micros: text(lease.settledMicros),
    refunded_micros: text(lease.refundedMicros),
    closed_at_ms: lease.closedAtMs,
    told_paid_micros: text(lease.told?.paidMicros),
    told_refunded_micros: text(lease.told?.refundedMicros),
    cumulative_seconds: meter.cumulativeSeconds,
    earned_micros: text(meteredMicros(lease)),
    counted_to_ms: meter.countedToMs,
    running_from_ms: meter.runningFromMs,
    degraded_at_ms: meter.degradedAtMs,
    meter_closed_at_ms: lease.meterClosedAtMs,
    warned_seconds: lease.alarms.warnedSeconds,
    exhausted: lease.alarms.exhausted,
    next_alarm_at_ms: nextAlarmOf(lease),
    in_flight_id: lease.inFlight?.settlementId ?? null,
    in_flight_kind: lease.inFlight?.kind ?? null,
    retry_not_before_ms: lease.retryNotBeforeMs,
    failures: lease.failures,
    owed_since_ms: lease.owedSinceMs,
    stream_version: streamVersion,
  };
};
