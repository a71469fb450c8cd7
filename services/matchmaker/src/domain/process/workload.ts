import type { WorkloadEvent } from '@gridbourse/events';
import type { LeaseId } from '@gridbourse/kernel';
import { isAlive } from '../lease.ts';
import { afterFall, fulfilWhenAllRan } from './falling.ts';
import type { UnitOfWork } from './unit-of-work.ts';

type Of<T extends WorkloadEvent['type']> = Extract<WorkloadEvent, { type: T }>;

const fail = (
  unit: UnitOfWork,
  leaseId: LeaseId,
  reason: 'start_failed' | 'workload_failed',
  detail: string,
): void => {
  unit.tellLease(leaseId, { type: 'Close', reason, detail, atMs: unit.now });
  afterFall(unit, leaseId, { then: 'end', reason: 'start_failed', detail });
};

export const hearOfRunning = (unit: UnitOfWork, event: Of<'WorkloadRunning'>): void => {
  const before = unit.exchange.lease(event.leaseId);
  if (!before) return;
  const lease = unit.tellLease(event.leaseId, {
    type: 'Activate',
    runningSinceMs: event.runningSinceMs,
    atMs: unit.now,
  });
  if (lease !== before) fulfilWhenAllRan(unit, lease);
};

/** A job that succeeds completes its lease, and leaves the other groups of its order alone. */
export const hearOfExit = (unit: UnitOfWork, event: Of<'WorkloadExited'>): void => {
  const lease = unit.exchange.lease(event.leaseId);
  if (lease?.state !== 'funded' && lease?.state !== 'active') return;
  if (event.exitCode !== 0)
    return fail(unit, event.leaseId, 'workload_failed', `exit code ${event.exitCode}`);
  const closing = unit.tellLease(event.leaseId, {
    type: 'Close',
    reason: 'completed',
    detail: 'the job ran to completion',
    atMs: unit.now,
  });
  fulfilWhenAllRan(unit, closing);
};

export const hearOfFailure = (unit: UnitOfWork, event: Of<'WorkloadFailed'>): void => {
  const lease = unit.exchange.lease(event.leaseId);
  if (lease?.state !== 'funded' && lease?.state !== 'active') return;
  const reason = event.phase === 'start' && lease.state === 'funded' ? 'start_failed' : 'workload_failed';
  fail(unit, event.leaseId, reason, `${event.cause}: ${event.message}`);
};

/** Proof that nothing of it is left: only now are its machines free. */
export const hearOfTermination = (unit: UnitOfWork, event: Of<'WorkloadTerminated'>): void => {
  const lease = unit.exchange.lease(event.leaseId);
  if (!lease) return;
  if (isAlive(lease) && (lease.state === 'funded' || lease.state === 'active')) {
    fail(unit, event.leaseId, 'workload_failed', 'its namespace is gone');
  }
  unit.tellLease(event.leaseId, { type: 'ReleaseCapacity', atMs: unit.now });
};
