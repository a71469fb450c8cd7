import type { CloseReason } from '@gridbourse/events';
import type { Decider } from '@gridbourse/kernel';
import { given } from '@gridbourse/testing';
import { describe, expect, it } from '@jest/globals';
import { group, idOf, leaseNumber, NOON, service, TENANT, TENANT_WALLET } from '../../test/builders.ts';
import {
  type AnyLeaseEvent,
  CLOSE_REASONS,
  decideLease,
  evolveLease,
  isTerminal,
  type Lease,
  LEASE_TRANSITIONS,
  termOf,
  type LeaseCommand,
  type LeaseState,
} from './lease.ts';

const lease: Decider<LeaseCommand, Lease | null, AnyLeaseEvent> = {
  initial: null,
  decide: decideLease,
  evolve: evolveLease,
};
const leaseId = leaseNumber(1);
const atMs = NOON;
const later = NOON + 60_000;

const terms = {
  leaseId,
  orderId: idOf('order', 'a'),
  accountId: TENANT,
  tenantWallet: TENANT_WALLET,
  providerId: idOf('provider', 'p'),
  chainProviderId: 1,
  offerId: idOf('offer', 'o'),
  group: group('main', [service('web')]),
  run: 'service' as const,
  secrets: null,
  placements: [{ service: 'web', replica: 0, node: 'node-1' }],
  gpu: null,
  part: null,
  rateMicrosPerHour: 400_000n,
  durationSeconds: 3_600,
  lockMicros: 400_000n,
  listRateMicrosPerHour: null,
  acceptByMs: later,
  proposedAtMs: NOON,
};
const proposed: AnyLeaseEvent = { type: 'LeaseProposed', ...terms };
const accepted: AnyLeaseEvent = { type: 'LeaseAccepted', leaseId, by: 'provider', fundByMs: later, atMs };
const rejected: AnyLeaseEvent = { type: 'LeaseRejected', leaseId, reason: 'busy', atMs };
const lapsed: AnyLeaseEvent = { type: 'LeaseLapsed', leaseId, reason: 'funding_timeout', detail: '', atMs };
const funded: AnyLeaseEvent = { type: 'LeaseFunded', leaseId, chainLeaseKey: '0x1', fundedAtMs: atMs };
const activated: AnyLeaseEvent = { type: 'LeaseActivated', leaseId, runningSinceMs: atMs, atMs };
const closing = (reason: CloseReason): AnyLeaseEvent => ({
  type: 'LeaseClosing',
  leaseId,
  reason,
  detail: '',
  atMs,
});
const released: AnyLeaseEvent = {
  type: 'CapacityReleased',
  leaseId,
  providerId: terms.providerId,
  offerId: terms.offerId,
  atMs,
};
const closed: AnyLeaseEvent = {
  type: 'LeaseClosed',
  leaseId,
  reason: 'tenant',
  paidMicros: 1n,
  refundedMicros: 2n,
  atMs,
};

/** One history that leads to each state. */
const HISTORIES: Readonly<Record<LeaseState, AnyLeaseEvent[]>> = {
  proposed: [proposed],
  accepted: [proposed, accepted],
  funded: [proposed, accepted, funded],
  active: [proposed, accepted, funded, activated],
  closing: [proposed, accepted, funded, activated, closing('tenant')],
  closed: [proposed, accepted, funded, activated, closing('tenant'), closed],
  rejected: [proposed, rejected],
  lapsed: [proposed, accepted, lapsed],
};

const COMMANDS: readonly LeaseCommand[] = [
  { type: 'Propose', ...terms },
  { type: 'Accept', by: 'provider', fundByMs: later, atMs },
  { type: 'Reject', reason: 'busy', atMs },
  { type: 'Lapse', reason: 'provider_lost', detail: '', atMs },
  { type: 'Fund', chainLeaseKey: '0x2', atMs },
  { type: 'RetractFunding', refundByMs: later, atMs },
  { type: 'Activate', runningSinceMs: atMs, atMs },
  { type: 'NoteTerm', durationSeconds: 7_200, lockMicros: 7n, atMs },
  { type: 'Close', reason: 'tenant', detail: '', atMs },
  { type: 'ReleaseCapacity', atMs },
  { type: 'Settle', paidMicros: 5n, refundedMicros: 6n, atMs },
];

describe('a lease', () => {
  it('is accepted before its deadline and not after', () => {
    given(lease, [proposed]).when({ type: 'Accept', by: 'provider', fundByMs: later, atMs }).then([accepted]);
    given(lease, [proposed])
      .when({ type: 'Accept', by: 'provider', fundByMs: later, atMs: later + 1 })
      .thenRejected('acceptance_too_late');
    given(lease, [proposed, accepted])
      .when({ type: 'Reject', reason: 'no', atMs })
      .thenRejected('lease_not_proposed');
  });

  it('cannot be closed before it is funded, and keeps the first reason for ever', () => {
    const close = (reason: CloseReason): LeaseCommand => ({ type: 'Close', reason, detail: '', atMs });
    given(lease, HISTORIES.accepted).when(close('tenant')).thenRejected('lease_not_funded');
    given(lease, HISTORIES.funded)
      .when(close('start_failed'))
      .then([closing('start_failed')]);
    given(lease, HISTORIES.active).when(close('start_failed')).thenRejected('reason_not_possible');
    given(lease, HISTORIES.closing).when(close('provider_lost')).thenNothing();
    given(lease, [...HISTORIES.active, closing('provider_lost')])
      .when({ type: 'Settle', paidMicros: 1n, refundedMicros: 2n, atMs })
      .then([
        { type: 'LeaseClosed', leaseId, reason: 'provider_lost', paidMicros: 1n, refundedMicros: 2n, atMs },
      ]);
  });

  it('frees its machines once, when it has come to an end, before or after it is settled', () => {
    const release: LeaseCommand = { type: 'ReleaseCapacity', atMs };
    given(lease, HISTORIES.active).when(release).thenNothing();
    for (const state of ['closing', 'closed', 'lapsed', 'rejected'] as const) {
      given(lease, HISTORIES[state]).when(release).then([released]);
      given(lease, [...HISTORIES[state], released])
        .when(release)
        .thenNothing();
    }
  });

  it('has another term while an extension stands on chain, and keeps what was agreed', () => {
    const note = (durationSeconds: number, lockMicros: bigint) => ({ durationSeconds, lockMicros, atMs });
    const longer = note(7_200, 2n * terms.lockMicros);
    const extended: AnyLeaseEvent = { type: 'LeaseTermNoted', leaseId, ...longer };
    given(lease, HISTORIES.active)
      .when({ type: 'NoteTerm', ...longer })
      .then([extended]);
    given(lease, [...HISTORIES.active, extended])
      .when({ type: 'NoteTerm', ...longer })
      .thenNothing();
    const after = [...HISTORIES.active, extended].reduce<Lease | null>(evolveLease, null)!;
    expect(termOf(after)).toEqual({ durationSeconds: 7_200, lockMicros: 2n * terms.lockMicros });
    // The opening is compared with this when the chain shows it again.
    expect(after.lockMicros).toBe(terms.lockMicros);
    const back: AnyLeaseEvent = {
      type: 'LeaseTermNoted',
      leaseId,
      ...note(terms.durationSeconds, terms.lockMicros),
    };
    expect(evolveLease(after, back).extended).toBeNull();
  });

  it('survives a reorganisation: retracted once, restored with the new key', () => {
    const retracted: AnyLeaseEvent = { type: 'LeaseFundingRetracted', leaseId, refundByMs: later, atMs };
    given(lease, HISTORIES.active)
      .when({ type: 'RetractFunding', refundByMs: later, atMs })
      .then([retracted]);
    given(lease, [...HISTORIES.active, retracted])
      .when({ type: 'RetractFunding', refundByMs: later, atMs })
      .thenNothing();
    given(lease, [...HISTORIES.active, retracted])
      .when({ type: 'Fund', chainLeaseKey: '0x2', atMs })
      .then([{ type: 'LeaseFundingRestored', leaseId, chainLeaseKey: '0x2', atMs }]);
  });

  it('moves only along its table, with a reason for every end, and terminal states absorb', () => {
    for (const [state, history] of Object.entries(HISTORIES) as [LeaseState, AnyLeaseEvent[]][]) {
      const before = history.reduce<Lease | null>(evolveLease, null)!;
      expect(before.state).toBe(state);
      expect(before.version).toBe(history.length);
      for (const command of COMMANDS) {
        let events: AnyLeaseEvent[];
        try {
          events = decideLease(command, before);
        } catch {
          continue; // refused
        }
        const after = events.reduce<Lease | null>(evolveLease, before)!;
        if (after.state !== before.state) expect(LEASE_TRANSITIONS[before.state]).toContain(after.state);
        if (isTerminal(before.state))
          expect(events.filter(({ type }) => type !== 'CapacityReleased')).toEqual([]);
        if (after.state === 'closing' || isTerminal(after.state)) expect(after.endReason).not.toBeNull();
      }
    }
  });

  it('knows a reason that fits wherever it can be closed', () => {
    expect(Object.keys(CLOSE_REASONS).sort()).toEqual(
      Object.entries(LEASE_TRANSITIONS)
        .filter(([, next]) => next.includes('closing'))
        .map(([state]) => state)
        .sort(),
    );
  });
});
