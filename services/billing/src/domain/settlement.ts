import type { BillingEvent } from '@gridbourse/events';
import {
  canMove,
  conflict,
  type Instant,
  type LeaseId,
  maxMicros,
  type Micros,
  type SettlementId,
  type Transitions,
} from '@gridbourse/kernel';
import { type LeaseTerms, ratedMicros } from './rating.ts';

export type SettlementState =
  'drafted' | 'submitted' | 'confirmed' | 'finalized' | 'failed_retryable' | 'failed_final';

/**
 * Amounts are cumulative, so a settlement that was given up and yet reaches the chain does no harm: a failed one may
 * still be confirmed. A retry is a new settlement.
 */
export const settlementTransitions: Transitions<SettlementState> = {
  drafted: ['submitted', 'confirmed', 'failed_retryable', 'failed_final'],
  submitted: ['submitted', 'confirmed', 'failed_retryable', 'failed_final'],
  confirmed: ['submitted', 'finalized'],
  finalized: [],
  failed_retryable: ['submitted', 'confirmed', 'failed_final'],
  failed_final: ['submitted', 'confirmed'],
};

/** `interim` pays what has been earned so far; `final` pays the rest, closes the lease, and refunds. */
export type SettlementKind = 'interim' | 'final';

export type Settlement = {
  readonly settlementId: SettlementId;
  readonly leaseId: LeaseId;
  readonly kind: SettlementKind;
  readonly cumulativeMicros: Micros;
  readonly state: SettlementState;
  readonly txHash: string | null;
  readonly submittedAtMs: Instant | null;
  readonly paidMicros: Micros | null;
  readonly failure: string | null;
};

export type SettlementCommand =
  | { type: 'Submit'; txHash: string; submittedAtMs: Instant }
  | { type: 'Confirm'; txHash: string; paidMicros: Micros; now: Instant }
  | { type: 'Finalize' }
  | { type: 'Retract' }
  | { type: 'Fail'; reason: string; retryable: boolean };

export type SettlementDecision = { readonly next: Settlement; readonly events: readonly BillingEvent[] };

const moved = (settlement: Settlement, state: SettlementState, change: Partial<Settlement>): Settlement => {
  if (!canMove(settlementTransitions, settlement.state, state)) {
    throw conflict(
      'settlement_state',
      `settlement ${settlement.settlementId} is ${settlement.state}, not ${state}`,
    );
  }
  return { ...settlement, ...change, state };
};

const submitted = (settlement: Settlement, txHash: string, atMs: Instant): BillingEvent => ({
  type: 'SettlementSubmitted',
  leaseId: settlement.leaseId,
  settlementId: settlement.settlementId,
  cumulativeMicros: settlement.cumulativeMicros,
  txHash,
  atMs,
});

/** Repeatable: what is already so gives no event. @throws DomainError `settlement_state` */
export const decideSettlement = (command: SettlementCommand, settlement: Settlement): SettlementDecision => {
  const nothing = { next: settlement, events: [] };
  switch (command.type) {
    case 'Submit': {
      const { txHash, submittedAtMs } = command;
      if (settlement.state === 'confirmed' || settlement.state === 'finalized') return nothing;
      if (settlement.txHash === txHash && settlement.state === 'submitted') return nothing;
      const next = moved(settlement, 'submitted', { txHash, submittedAtMs, failure: null });
      return { next, events: [submitted(settlement, txHash, submittedAtMs)] };
    }
    case 'Confirm': {
      const { txHash, paidMicros, now } = command;
      if (settlement.state === 'confirmed' || settlement.state === 'finalized') return nothing;
      const submittedAtMs = settlement.submittedAtMs ?? now;
      const next = moved(settlement, 'confirmed', { txHash, submittedAtMs, paidMicros, failure: null });
      const confirmed: BillingEvent = {
        type: 'SettlementConfirmed',
        leaseId: settlement.leaseId,
        settlementId: settlement.settlementId,
        cumulativeMicros: settlement.cumulativeMicros,
        paidMicros,
        txHash,
        confirmationMs: Math.max(0, now - submittedAtMs),
        atMs: now,
      };
      const unseen = settlement.txHash === txHash ? [] : [submitted(settlement, txHash, submittedAtMs)];
      return { next, events: [...unseen, confirmed] };
    }
    case 'Finalize':
      return settlement.state === 'finalized'
        ? nothing
        : { next: moved(settlement, 'finalized', {}), events: [] };
    case 'Retract':
      return settlement.state === 'confirmed'
        ? { next: moved(settlement, 'submitted', { paidMicros: null }), events: [] }
        : nothing;
    case 'Fail': {
      if (settlement.state === 'confirmed' || settlement.state === 'finalized') return nothing;
      const state = command.retryable ? 'failed_retryable' : 'failed_final';
      if (settlement.state === state) return nothing;
      return { next: moved(settlement, state, { failure: command.reason }), events: [] };
    }
  }
};

/** What of a lease decides whether something is to be settled. */
export type SettleableLease = {
  readonly terms: LeaseTerms;
  readonly cumulativeSeconds: number;
  /** It has run, or does: how long in all only the closing of the meter tells. */
  readonly meterStarted: boolean;
  readonly meterClosed: boolean;
  /** The market let go of it; it may have been opened on chain all the same. */
  readonly lapsed: boolean;
  readonly openedOnChain: boolean;
  readonly closedOnChain: boolean;
  readonly settledMicros: Micros;
  readonly inFlight: SettlementKind | null;
  /** After a failure: not again before this. */
  readonly retryNotBeforeMs: Instant | null;
};

/**
 * The next thing to tell the chain about a lease. A final settlement does not wait for an interim one in flight:
 * amounts are cumulative, so it does not matter which arrives first.
 */
export const nextSettlement = (
  lease: SettleableLease,
  now: Instant,
): { kind: SettlementKind; cumulativeMicros: Micros } | null => {
  if (!lease.openedOnChain || lease.closedOnChain || lease.inFlight === 'final') return null;
  if (lease.retryNotBeforeMs !== null && lease.retryNotBeforeMs > now) return null;
  const owed = ratedMicros(lease.terms, lease.cumulativeSeconds);
  if (lease.meterClosed || (lease.lapsed && !lease.meterStarted)) {
    return { kind: 'final', cumulativeMicros: maxMicros(owed, lease.settledMicros) };
  }
  if (lease.inFlight !== null || owed <= lease.settledMicros) return null;
  return { kind: 'interim', cumulativeMicros: owed };
};

/** Waits between attempts: 1 s, doubling, at most a minute. */
export const retryDelayMs = (failures: number): number =>
  Math.min(60_000, 1_000 * 2 ** Math.min(failures, 6));
