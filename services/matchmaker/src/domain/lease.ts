import type { CloseReason, LeaseEvent, LeaseProposed } from '@gridbourse/events';
import { canMove, conflict, type Instant, type Micros, type Transitions } from '@gridbourse/kernel';
import type { PrivateLeaseEvent } from './private-events.ts';

/**
 * `rejected`, `lapsed` and `closed` are terminal. Whether the machines are free again is a field of its own
 * (`capacityReleased`): clean-up never overwrites how a lease ended.
 */
export type LeaseState =
  'proposed' | 'accepted' | 'funded' | 'active' | 'closing' | 'closed' | 'rejected' | 'lapsed';

export const LEASE_TRANSITIONS: Transitions<LeaseState> = {
  proposed: ['accepted', 'rejected', 'lapsed'],
  accepted: ['funded', 'lapsed'],
  funded: ['active', 'closing'],
  active: ['closing'],
  closing: ['closed'],
  closed: [],
  rejected: [],
  lapsed: [],
};

type LapseReason = Extract<LeaseEvent, { type: 'LeaseLapsed' }>['reason'];
export type { LapseReason };

/** Which ends a lease may come to, by where it is. */
export const CLOSE_REASONS: Readonly<Record<'funded' | 'active', readonly CloseReason[]>> = {
  funded: [
    'tenant',
    'completed',
    'escrow_exhausted',
    'start_failed',
    'workload_failed',
    'provider_lost',
    'provider_maintenance',
    'decommissioned',
    'operator',
    'superseded',
  ],
  active: [
    'tenant',
    'completed',
    'escrow_exhausted',
    'workload_failed',
    'provider_lost',
    'provider_maintenance',
    'decommissioned',
    'operator',
    'superseded',
  ],
};

export type AnyLeaseEvent = LeaseEvent | PrivateLeaseEvent;

export type Lease = Omit<LeaseProposed, 'type'> & {
  /** Events so far. */
  readonly version: number;
  readonly state: LeaseState;
  readonly fundByMs: Instant | null;
  readonly chainLeaseKey: string | null;
  /** What extensions on chain have made of duration and lock; null while they are as agreed. */
  readonly extended: { readonly durationSeconds: number; readonly lockMicros: Micros } | null;
  readonly fundedAtMs: Instant | null;
  /** The chain took the funding back (a reorganisation); without it by then the lease closes. */
  readonly refundByMs: Instant | null;
  readonly runningSinceMs: Instant | null;
  /** How it ended: a close reason, a lapse reason, or `rejected`. Set once. */
  readonly endReason: CloseReason | LapseReason | 'rejected' | null;
  readonly endDetail: string | null;
  /** When the end was decided. */
  readonly endingAtMs: Instant | null;
  readonly closedAtMs: Instant | null;
  readonly paidMicros: Micros | null;
  readonly refundedMicros: Micros | null;
  readonly capacityReleased: boolean;
};

export type LeaseCommand =
  | ({ readonly type: 'Propose' } & Omit<LeaseProposed, 'type'>)
  | {
      readonly type: 'Accept';
      readonly by: 'standing_policy' | 'provider';
      readonly fundByMs: Instant;
      readonly atMs: Instant;
    }
  | { readonly type: 'Reject'; readonly reason: string; readonly atMs: Instant }
  | { readonly type: 'Lapse'; readonly reason: LapseReason; readonly detail: string; readonly atMs: Instant }
  | { readonly type: 'Fund'; readonly chainLeaseKey: string; readonly atMs: Instant }
  | { readonly type: 'RetractFunding'; readonly refundByMs: Instant; readonly atMs: Instant }
  | {
      readonly type: 'NoteTerm';
      readonly durationSeconds: number;
      readonly lockMicros: Micros;
      readonly atMs: Instant;
    }
  | { readonly type: 'Activate'; readonly runningSinceMs: Instant; readonly atMs: Instant }
  | { readonly type: 'Close'; readonly reason: CloseReason; readonly detail: string; readonly atMs: Instant }
  | { readonly type: 'ReleaseCapacity'; readonly atMs: Instant }
  | {
      readonly type: 'Settle';
      readonly paidMicros: Micros;
      readonly refundedMicros: Micros;
      readonly atMs: Instant;
    };

export const isTerminal = (state: LeaseState): boolean => LEASE_TRANSITIONS[state].length === 0;

/** Nothing will happen to it any more: ended, and its machines are free. */
export const isOver = (lease: Lease): boolean => isTerminal(lease.state) && lease.capacityReleased;

/** Duration and lock as they are now. */
export const termOf = ({ durationSeconds, lockMicros, extended }: Lease) =>
  extended ?? { durationSeconds, lockMicros };

/** It may still come to run, or runs. */
export const isAlive = (lease: Lease): boolean => !isTerminal(lease.state) && lease.state !== 'closing';

/** When it ends unless something happens before: it waits for its provider, for its money, or for its money again. */
export const deadlineOf = (lease: Lease): Instant | null => {
  if (!isAlive(lease)) return null;
  const waits =
    lease.state === 'proposed' ? lease.acceptByMs : lease.state === 'accepted' ? lease.fundByMs : null;
  if (waits === null || lease.refundByMs === null) return waits ?? lease.refundByMs;
  return Math.min(waits, lease.refundByMs);
};

/** It has run, or ran so briefly that only its completion was seen. */
export const hasRun = (lease: Lease): boolean =>
  lease.runningSinceMs !== null || lease.endReason === 'completed';

const propose = (command: Extract<LeaseCommand, { type: 'Propose' }>): AnyLeaseEvent[] => [
  { ...command, type: 'LeaseProposed' },
];

const accept = (command: Extract<LeaseCommand, { type: 'Accept' }>, lease: Lease): AnyLeaseEvent[] => {
  if (lease.state === 'accepted') return [];
  if (lease.state !== 'proposed') throw conflict('lease_not_proposed', `the lease is ${lease.state}`);
  if (command.atMs > lease.acceptByMs)
    throw conflict('acceptance_too_late', 'the time for accepting is over');
  return [
    {
      type: 'LeaseAccepted',
      leaseId: lease.leaseId,
      by: command.by,
      fundByMs: command.fundByMs,
      atMs: command.atMs,
    },
  ];
};

const reject = (command: Extract<LeaseCommand, { type: 'Reject' }>, lease: Lease): AnyLeaseEvent[] => {
  if (lease.state === 'rejected') return [];
  if (lease.state !== 'proposed') throw conflict('lease_not_proposed', `the lease is ${lease.state}`);
  return [{ type: 'LeaseRejected', leaseId: lease.leaseId, reason: command.reason, atMs: command.atMs }];
};

const fund = (command: Extract<LeaseCommand, { type: 'Fund' }>, lease: Lease): AnyLeaseEvent[] => {
  const { leaseId } = lease;
  if (lease.refundByMs !== null && isAlive(lease)) {
    return [
      { type: 'LeaseFundingRestored', leaseId, chainLeaseKey: command.chainLeaseKey, atMs: command.atMs },
    ];
  }
  if (!canMove(LEASE_TRANSITIONS, lease.state, 'funded')) return [];
  return [{ type: 'LeaseFunded', leaseId, chainLeaseKey: command.chainLeaseKey, fundedAtMs: command.atMs }];
};

const retractFunding = (
  command: Extract<LeaseCommand, { type: 'RetractFunding' }>,
  lease: Lease,
): AnyLeaseEvent[] => {
  if ((lease.state !== 'funded' && lease.state !== 'active') || lease.refundByMs !== null) return [];
  return [
    {
      type: 'LeaseFundingRetracted',
      leaseId: lease.leaseId,
      refundByMs: command.refundByMs,
      atMs: command.atMs,
    },
  ];
};

const noteTerm = (
  { durationSeconds, lockMicros, atMs }: Extract<LeaseCommand, { type: 'NoteTerm' }>,
  lease: Lease,
): AnyLeaseEvent[] => {
  const now = termOf(lease);
  if (isTerminal(lease.state)) return [];
  if (now.durationSeconds === durationSeconds && now.lockMicros === lockMicros) return [];
  return [{ type: 'LeaseTermNoted', leaseId: lease.leaseId, durationSeconds, lockMicros, atMs }];
};

const close = (command: Extract<LeaseCommand, { type: 'Close' }>, lease: Lease): AnyLeaseEvent[] => {
  const { state } = lease;
  if (state === 'proposed' || state === 'accepted') {
    throw conflict('lease_not_funded', 'the lease is not funded yet: cancel its order instead');
  }
  if (state !== 'funded' && state !== 'active') return [];
  if (!CLOSE_REASONS[state].includes(command.reason)) {
    throw conflict('reason_not_possible', `a lease that is ${state} cannot end as ${command.reason}`);
  }
  return [
    {
      type: 'LeaseClosing',
      leaseId: lease.leaseId,
      reason: command.reason,
      detail: command.detail.slice(0, 500),
      atMs: command.atMs,
    },
  ];
};

const releaseCapacity = (atMs: Instant, lease: Lease): AnyLeaseEvent[] => {
  if (lease.capacityReleased || isAlive(lease)) return [];
  const { leaseId, providerId, offerId } = lease;
  return [{ type: 'CapacityReleased', leaseId, providerId, offerId, atMs }];
};

const settle = (command: Extract<LeaseCommand, { type: 'Settle' }>, lease: Lease): AnyLeaseEvent[] => {
  if (lease.state !== 'closing') return [];
  return [
    {
      type: 'LeaseClosed',
      leaseId: lease.leaseId,
      reason: lease.endReason as CloseReason,
      paidMicros: command.paidMicros,
      refundedMicros: command.refundedMicros,
      atMs: command.atMs,
    },
  ];
};

/**
 * What a command makes of a lease. Commands that tell what has happened elsewhere (Fund, Activate, Settle, …) find an
 * empty answer where they come late or twice: terminal states absorb.
 * @throws DomainError `lease_not_proposed`, `acceptance_too_late`, `lease_not_funded`, `reason_not_possible`.
 */
export const decideLease = (command: LeaseCommand, lease: Lease | null): AnyLeaseEvent[] => {
  if (lease === null) {
    if (command.type !== 'Propose')
      throw conflict('no_such_lease', `${command.type} of a lease that is not there`);
    return propose(command);
  }
  switch (command.type) {
    case 'Propose':
      return [];
    case 'Accept':
      return accept(command, lease);
    case 'Reject':
      return reject(command, lease);
    case 'Lapse':
      if (!canMove(LEASE_TRANSITIONS, lease.state, 'lapsed')) return [];
      return [
        {
          type: 'LeaseLapsed',
          leaseId: lease.leaseId,
          reason: command.reason,
          detail: command.detail.slice(0, 500),
          atMs: command.atMs,
        },
      ];
    case 'Fund':
      return fund(command, lease);
    case 'RetractFunding':
      return retractFunding(command, lease);
    case 'NoteTerm':
      return noteTerm(command, lease);
    case 'Activate':
      if (!canMove(LEASE_TRANSITIONS, lease.state, 'active')) return [];
      return [
        {
          type: 'LeaseActivated',
          leaseId: lease.leaseId,
          runningSinceMs: command.runningSinceMs,
          atMs: command.atMs,
        },
      ];
    case 'Close':
      return close(command, lease);
    case 'ReleaseCapacity':
      return releaseCapacity(command.atMs, lease);
    case 'Settle':
      return settle(command, lease);
  }
};

/** Field by field: every order has one made, and an object that is made of the rest of another takes several times as long. */
const born = (event: LeaseProposed): Lease => ({
  leaseId: event.leaseId,
  orderId: event.orderId,
  accountId: event.accountId,
  tenantWallet: event.tenantWallet,
  providerId: event.providerId,
  chainProviderId: event.chainProviderId,
  offerId: event.offerId,
  group: event.group,
  gpu: event.gpu,
  part: event.part,
  run: event.run,
  secrets: event.secrets,
  placements: event.placements,
  rateMicrosPerHour: event.rateMicrosPerHour,
  durationSeconds: event.durationSeconds,
  lockMicros: event.lockMicros,
  listRateMicrosPerHour: event.listRateMicrosPerHour,
  acceptByMs: event.acceptByMs,
  proposedAtMs: event.proposedAtMs,
  version: 1,
  state: 'proposed',
  fundByMs: null,
  chainLeaseKey: null,
  extended: null,
  fundedAtMs: null,
  refundByMs: null,
  runningSinceMs: null,
  endReason: null,
  endDetail: null,
  endingAtMs: null,
  closedAtMs: null,
  paidMicros: null,
  refundedMicros: null,
  capacityReleased: false,
});

const changed = (lease: Lease, event: Exclude<AnyLeaseEvent, LeaseProposed>): Partial<Lease> => {
  switch (event.type) {
    case 'LeaseAccepted':
      return { state: 'accepted', fundByMs: event.fundByMs };
    case 'LeaseRejected':
      return {
        state: 'rejected',
        endReason: 'rejected',
        endDetail: event.reason,
        endingAtMs: event.atMs,
        closedAtMs: event.atMs,
      };
    case 'LeaseLapsed':
      return {
        state: 'lapsed',
        endReason: event.reason,
        endDetail: event.detail,
        endingAtMs: event.atMs,
        closedAtMs: event.atMs,
      };
    case 'LeaseFunded':
      return { state: 'funded', chainLeaseKey: event.chainLeaseKey, fundedAtMs: event.fundedAtMs };
    case 'LeaseFundingRetracted':
      return { refundByMs: event.refundByMs };
    case 'LeaseFundingRestored':
      return { refundByMs: null, chainLeaseKey: event.chainLeaseKey };
    case 'LeaseTermNoted': {
      const { durationSeconds, lockMicros } = event;
      const asAgreed = durationSeconds === lease.durationSeconds && lockMicros === lease.lockMicros;
      return { extended: asAgreed ? null : { durationSeconds, lockMicros } };
    }
    case 'LeaseActivated':
      return { state: 'active', runningSinceMs: event.runningSinceMs };
    case 'LeaseClosing':
      return { state: 'closing', endReason: event.reason, endDetail: event.detail, endingAtMs: event.atMs };
    case 'CapacityReleased':
      return { capacityReleased: true };
    case 'LeaseClosed':
      return {
        state: 'closed',
        closedAtMs: event.atMs,
        paidMicros: event.paidMicros,
        refundedMicros: event.refundedMicros,
      };
    default:
      return {};
  }
};

export const evolveLease = (lease: Lease | null, event: AnyLeaseEvent): Lease => {
  if (event.type === 'LeaseProposed') return born(event);
  if (lease === null) throw new Error(`${event.type} before LeaseProposed`);
  return Object.assign({ ...lease, version: lease.version + 1 }, changed(lease, event));
};
