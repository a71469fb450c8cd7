import type { BillingEvent, LeaseProposed } from '@gridbourse/events';
import type { Instant, LeaseId, Micros, SettlementId } from '@gridbourse/kernel';
import type { Meter } from './meter.ts';
import { newMeter } from './meter.ts';
import { type LeaseTerms, type LockChange, ratedMicros, termsNow, unchangedLock } from './rating.ts';
import { nextSettlement, retryDelayMs, type SettlementKind } from './settlement.ts';
import { type Alarms, dueAlarms, nextAlarmAtMs, rewound, type Runway } from './zero-time.ts';

/** What tenant and provider agreed on. */
export type Agreement = LeaseTerms & {
  readonly orderId: string;
  readonly accountId: LeaseProposed['accountId'];
  readonly tenant: string;
  readonly providerId: LeaseProposed['providerId'];
  readonly chainProviderId: number;
  readonly offerId: string;
  readonly groupName: string;
  readonly listRateMicrosPerHour: Micros | null;
  /** keccak256 of the lease id: how the chain names it. */
  readonly leaseRef: string;
  readonly proposedAtMs: Instant;
};

/**
 * A lease as billing sees it. Events of different services are not ordered among each other, so everything may be
 * heard before the agreement is.
 */
export type BilledLease = {
  readonly leaseId: LeaseId;
  readonly agreement: Agreement | null;
  readonly opening: 'none' | 'requested' | 'failed';
  readonly openRequestedAtMs: Instant | null;
  readonly leaseKey: string | null;
  readonly lapsedAtMs: Instant | null;
  readonly openedAtMs: Instant | null;
  /** What the chain has done to the lock since. */
  readonly lockChange: LockChange;
  readonly settledMicros: Micros;
  /** All that came back of the lock, at a stop and at the end; null before the end. */
  readonly refundedMicros: Micros | null;
  readonly closedAtMs: Instant | null;
  /** What LeaseSettled has told; it tells again when a reorg changed the amounts. */
  readonly told: { readonly paidMicros: Micros; readonly refundedMicros: Micros } | null;
  readonly meter: Meter;
  readonly meterClosedAtMs: Instant | null;
  readonly alarms: Alarms;
  readonly inFlight: { readonly settlementId: SettlementId; readonly kind: SettlementKind } | null;
  readonly retryNotBeforeMs: Instant | null;
  readonly failures: number;
  readonly owedSinceMs: Instant | null;
};

export const newLease = (leaseId: LeaseId): BilledLease => ({
  leaseId,
  agreement: null,
  opening: 'none',
  openRequestedAtMs: null,
  leaseKey: null,
  lapsedAtMs: null,
  openedAtMs: null,
  lockChange: unchangedLock,
  settledMicros: 0n,
  refundedMicros: null,
  closedAtMs: null,
  told: null,
  meter: newMeter,
  meterClosedAtMs: null,
  alarms: { warnedSeconds: null, exhausted: false },
  inFlight: null,
  retryNotBeforeMs: null,
  failures: 0,
  owedSinceMs: null,
});

/** `proposed` and `failed` hold no money; `lapsed` does when the chain opened it after all, until it is closed there. */
export type LeaseState =
  'heard_of' | 'proposed' | 'opening' | 'open' | 'closing' | 'closed' | 'lapsed' | 'funding_failed';

export const stateOf = (lease: BilledLease): LeaseState => {
  if (lease.closedAtMs !== null) return 'closed';
  if (lease.openedAtMs !== null) {
    return lease.meterClosedAtMs !== null || lease.lapsedAtMs !== null ? 'closing' : 'open';
  }
  if (lease.lapsedAtMs !== null) return 'lapsed';
  if (lease.opening === 'requested') return 'opening';
  if (lease.opening === 'failed') return 'funding_failed';
  return lease.agreement === null ? 'heard_of' : 'proposed';
};

/** What the meter is worth: what the provider has earned so far, and never more than the lock is now. */
export const meteredMicros = (lease: BilledLease): Micros =>
  lease.agreement === null
    ? 0n
    : ratedMicros(termsNow(lease.agreement, lease.lockChange), lease.meter.cumulativeSeconds);

/** All that was ever locked for the lease: what is paid and what is refunded add up to it in the end. */
export const lockedInMicros = (agreement: Agreement, change: LockChange): Micros =>
  agreement.lockMicros + change.addedMicros;

const runwayOf = (agreement: Agreement, { lockChange, meter }: BilledLease): Runway => ({
  terms: termsNow(agreement, lockChange),
  meter,
  stopsAtMs: lockChange.stopsAtMs,
});

export const nextAlarmOf = (lease: BilledLease): Instant | null =>
  lease.agreement === null || lease.closedAtMs !== null
    ? null
    : nextAlarmAtMs(runwayOf(lease.agreement, lease), lease.alarms);

/** Does the chain owe us a step: an opening, a payment, a closing? */
const isOwed = (lease: BilledLease): boolean => {
  switch (stateOf(lease)) {
    case 'opening':
    case 'closing':
      return true;
    case 'open':
      return meteredMicros(lease) > lease.settledMicros;
    default:
      return false;
  }
};

/** Called after every change: since when the chain owes the next step. Progress starts the count anew. */
export const withOwed = (before: BilledLease, after: BilledLease, now: Instant): BilledLease => {
  if (!isOwed(after)) return { ...after, owedSinceMs: null };
  const progressed = stateOf(before) !== stateOf(after) || before.settledMicros !== after.settledMicros;
  return { ...after, owedSinceMs: progressed ? now : (before.owedSinceMs ?? now) };
};

/** What is to be sent to the chain for this lease now; null when nothing is. */
export const settlementDue = (
  lease: BilledLease,
  now: Instant,
): { kind: SettlementKind; cumulativeMicros: Micros } | null =>
  lease.agreement === null
    ? null
    : nextSettlement(
        {
          terms: termsNow(lease.agreement, lease.lockChange),
          cumulativeSeconds: lease.meter.cumulativeSeconds,
          meterStarted: lease.meter.countedToMs !== null || lease.meter.runningFromMs !== null,
          meterClosed: lease.meter.closed,
          lapsed: lease.lapsedAtMs !== null,
          openedOnChain: lease.openedAtMs !== null,
          closedOnChain: lease.closedAtMs !== null,
          settledMicros: lease.settledMicros,
          inFlight: lease.inFlight?.kind ?? null,
          retryNotBeforeMs: lease.retryNotBeforeMs,
        },
        now,
      );

/** A settlement of the lease did not go through: not again before a moment, and later each time. */
export const settlementFailed = (lease: BilledLease, settlementId: string, now: Instant): BilledLease =>
  lease.inFlight?.settlementId === settlementId
    ? {
        ...lease,
        inFlight: null,
        failures: lease.failures + 1,
        retryNotBeforeMs: now + retryDelayMs(lease.failures),
      }
    : lease;

export const settlementArrived = (lease: BilledLease, settlementId: string): BilledLease => ({
  ...lease,
  inFlight: lease.inFlight?.settlementId === settlementId ? null : lease.inFlight,
  failures: 0,
  retryNotBeforeMs: null,
});

/** The end on chain: told once, and again only if a reorg changed the amounts. */
export const closedOnChain = (
  lease: BilledLease,
  closing: { paidMicros: Micros; refundedMicros: Micros; txHash: string; closedAtMs: Instant; now: Instant },
): { lease: BilledLease; events: readonly BillingEvent[] } => {
  const { paidMicros, txHash, closedAtMs, now } = closing;
  const refundedMicros = closing.refundedMicros + lease.lockChange.freedMicros;
  const told = { paidMicros, refundedMicros };
  const known = lease.told?.paidMicros === paidMicros && lease.told.refundedMicros === refundedMicros;
  return {
    lease: { ...lease, settledMicros: paidMicros, refundedMicros, closedAtMs, told, inFlight: null },
    events: known
      ? []
      : [{ type: 'LeaseSettled', leaseId: lease.leaseId, paidMicros, refundedMicros, txHash, atMs: now }],
  };
};

/** The block of the closing is gone: open again, and what is owed will be sent again. */
export const closingRetracted = (lease: BilledLease, settledMicros: Micros): BilledLease => ({
  ...lease,
  settledMicros,
  refundedMicros: null,
  closedAtMs: null,
});

/** The lock grew or shrank on chain, or did not after all: zero-time moves, and whoever runs the lease is told for how long. */
export const relocked = (
  lease: BilledLease,
  lockChange: LockChange,
  now: Instant,
): { lease: BilledLease; events: readonly BillingEvent[] } => {
  const { agreement } = lease;
  if (agreement === null) return { lease: { ...lease, lockChange }, events: [] };
  const before = termsNow(agreement, lease.lockChange);
  const { durationSeconds } = termsNow(agreement, lockChange);
  const changed = { ...lease, lockChange };
  const alarms = rewound(runwayOf(agreement, changed), lease.alarms, now);
  const rung = ringAlarms({ ...changed, alarms }, now);
  if (durationSeconds === before.durationSeconds) return rung;
  const told: BillingEvent = {
    type: 'LeaseTermChanged',
    leaseId: lease.leaseId,
    durationSeconds,
    lockMicros: lockedInMicros(agreement, lockChange),
    atMs: now,
  };
  return { lease: rung.lease, events: [told, ...rung.events] };
};

/** Warnings and the end of the escrow that are due now, each once. */
export const ringAlarms = (
  lease: BilledLease,
  now: Instant,
): { lease: BilledLease; events: readonly BillingEvent[] } => {
  if (lease.agreement === null || lease.closedAtMs !== null) return { lease, events: [] };
  const { alarms, due } = dueAlarms(runwayOf(lease.agreement, lease), lease.alarms, now);
  return {
    lease: { ...lease, alarms },
    events: due.map((alarm) => ({ ...alarm, leaseId: lease.leaseId, atMs: now })),
  };
};
