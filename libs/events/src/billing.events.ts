import { z } from 'zod';
import { eventFamily, type EventOf } from './define.ts';
import { hash, id, instant, micros, seconds } from './fields.ts';

const escrow = eventFamily('billing', 'escrow', 'public', 'the id of the account');
const settlement = eventFamily('billing', 'settlement', 'public', 'the id of the lease');
const reconciliation = eventFamily('billing', 'reconciliation', 'public', 'the id of the break');

export const escrowChanged = escrow(
  'EscrowChanged',
  'The books of a tenant after a movement on chain: deposited = free + locked + spent + withdrawn.',
  z.object({
    accountId: id('account'),
    depositedMicros: micros,
    freeMicros: micros,
    lockedMicros: micros,
    spentMicros: micros,
    withdrawnMicros: micros,
    atMs: instant,
  }),
);

export const leaseFundingFailed = settlement(
  'LeaseFundingFailed',
  'The chain refused, or would refuse, to open the lease.',
  z.object({
    leaseId: id('lease'),
    cause: z.enum(['insufficient_escrow', 'spending_limit', 'rejected_by_contract', 'chain_unavailable']),
    detail: z.string().max(500),
    shortfallMicros: micros,
    atMs: instant,
  }),
);

export const escrowLow = settlement(
  'EscrowLow',
  'The lock of a running lease will be used up in so many seconds.',
  z.object({ leaseId: id('lease'), secondsLeft: seconds, zeroTimeAtMs: instant, atMs: instant }),
);

export const escrowExhausted = settlement(
  'EscrowExhausted',
  'Zero-time: the lock is used up.',
  z.object({ leaseId: id('lease'), zeroTimeAtMs: instant, atMs: instant }),
);

export const leaseTermChanged = settlement(
  'LeaseTermChanged',
  'The tenant has extended the lease on chain, or the chain took an extension back: how long it may run in all.',
  z.object({
    leaseId: id('lease'),
    durationSeconds: seconds.describe('Running seconds in all that the lease may have: agreed and added.'),
    lockMicros: micros.describe('All that was locked for it: agreed and added.'),
    atMs: instant,
  }),
);

export const settlementSubmitted = settlement(
  'SettlementSubmitted',
  'A row of a batch is on its way to the chain.',
  z.object({
    leaseId: id('lease'),
    settlementId: id('settlement'),
    cumulativeMicros: micros,
    txHash: hash,
    atMs: instant,
  }),
);

export const settlementConfirmed = settlement(
  'SettlementConfirmed',
  'The chain has paid it (soft confirmation).',
  z.object({
    leaseId: id('lease'),
    settlementId: id('settlement'),
    cumulativeMicros: micros,
    paidMicros: micros,
    txHash: hash,
    confirmationMs: z.int().min(0).describe('From broadcast to our sight of the event.'),
    atMs: instant,
  }),
);

export const leaseSettled = settlement(
  'LeaseSettled',
  'Closed on chain: everything earned is paid, the rest of the lock is free again.',
  z.object({ leaseId: id('lease'), paidMicros: micros, refundedMicros: micros, txHash: hash, atMs: instant }),
);

export const breakKind = z.enum(['missing', 'duplicate', 'wrong_amount', 'wrong_party', 'timing']);

export const breakOpened = reconciliation(
  'BreakOpened',
  'Meter, ledger and chain do not say the same.',
  z.object({
    breakId: id('break'),
    kind: breakKind,
    subject: z.string().max(80),
    meterMicros: micros.nullable(),
    ledgerMicros: micros.nullable(),
    chainMicros: micros.nullable(),
    detail: z.string().max(500),
    atMs: instant,
  }),
);

export const breakResolved = reconciliation(
  'BreakResolved',
  'The three agree again, or an operator has said why not.',
  z.object({ breakId: id('break'), resolution: z.string().max(500), atMs: instant }),
);

export const billingEvents = [
  escrowChanged,
  leaseFundingFailed,
  escrowLow,
  escrowExhausted,
  leaseTermChanged,
  settlementSubmitted,
  settlementConfirmed,
  leaseSettled,
  breakOpened,
  breakResolved,
] as const;
export type BillingEvent = EventOf<(typeof billingEvents)[number]>;
export type BreakKind = z.output<typeof breakKind>;
