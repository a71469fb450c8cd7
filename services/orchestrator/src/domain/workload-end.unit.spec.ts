import { describe, expect, it } from '@jest/globals';
import { given } from '@gridbourse/testing';
import { T, evidence, leaseId, policy, stop, up, window } from '../../test/support/workload-history.ts';
import type { Evidence } from './evidence.ts';
import type { WorkloadCommand } from './workload-commands.ts';
import { workloadDecider } from './workload-decider.ts';
import type { OrchestratorEvent } from './workload-events.ts';

describe('the end of a workload', () => {
  const closeMeter = (seen: Evidence | null, lastProofMs: number | null, nowMs: number): WorkloadCommand => ({
    type: 'CloseMeter',
    evidence: seen,
    lastProof: lastProofMs === null ? null : { incarnation: 'web-1/uid-1#0', atMs: lastProofMs },
    nowMs,
    policy,
  });

  it('is wanted when the lease closes, and bills up to that very instant', () => {
    given(workloadDecider, up)
      .when({ type: 'StopWorkload', leaseId, reason: 'tenant', atMs: T + 30_000, nowMs: T + 30_100 })
      .then([stop(T + 30_000)]);
    given(workloadDecider, [...up, stop(T + 30_000)])
      .when(closeMeter(evidence({ provenAtMs: T + 30_200 }), T + 20_000, T + 30_300))
      .then([
        window(T, T + 30_000, 30, 30),
        { type: 'MeterClosed', leaseId, totalSeconds: 30, atMs: T + 30_300 },
      ]);
  });

  it('closes the meter at the last proof when no evidence can be had', () => {
    given(workloadDecider, [...up, stop(T + 90_000, 'provider_lost')])
      .when(closeMeter(null, T + 20_900, T + 91_000))
      .then([
        window(T, T + 20_900, 20, 20),
        { type: 'MeterClosed', leaseId, totalSeconds: 20, atMs: T + 91_000 },
      ]);
  });

  it('closes the meter once', () => {
    const closed: OrchestratorEvent = { type: 'MeterClosed', leaseId, totalSeconds: 0, atMs: T };
    given(workloadDecider, [...up, stop(T), closed])
      .when(closeMeter(evidence(), T, T))
      .thenNothing();
  });

  it('is proven by the answer that the namespace does not exist', () => {
    const closed: OrchestratorEvent = { type: 'MeterClosed', leaseId, totalSeconds: 0, atMs: T };
    const terminated: OrchestratorEvent = {
      type: 'WorkloadTerminated',
      leaseId,
      provenAbsentAtMs: T + 9,
      everCreated: true,
    };
    const history = [...up, stop(T), closed];
    given(workloadDecider, history)
      .when({ type: 'ReportAbsent', everCreated: true, nowMs: T + 9 })
      .then([terminated]);
    given(workloadDecider, [...history, terminated])
      .when({ type: 'ReportAbsent', everCreated: true, nowMs: T + 99 })
      .thenNothing();
  });

  it('is not proven by absence while it is wanted', () => {
    given(workloadDecider, up)
      .when({ type: 'ReportAbsent', everCreated: true, nowMs: T })
      .thenRejected('still_wanted');
  });

  it('says that nothing was created when the lease closes unfunded', () => {
    given(workloadDecider)
      .when({ type: 'StopWorkload', leaseId, reason: 'tenant', atMs: T, nowMs: T })
      .then([
        stop(T),
        { type: 'MeterClosed', leaseId, totalSeconds: 0, atMs: T },
        { type: 'WorkloadTerminated', leaseId, provenAbsentAtMs: T, everCreated: false },
      ]);
  });

  it('has no usage to tell of a lease that lapsed, unless it closes after all', () => {
    const lapsed: OrchestratorEvent[] = [
      stop(T, 'lapsed'),
      { type: 'WorkloadTerminated', leaseId, provenAbsentAtMs: T, everCreated: false },
    ];
    given(workloadDecider)
      .when({ type: 'StopWorkload', leaseId, reason: 'lapsed', atMs: T, nowMs: T })
      .then(lapsed);
    given(workloadDecider, lapsed)
      .when({ type: 'StopWorkload', leaseId, reason: 'operator', atMs: T + 5, nowMs: T + 5 })
      .then([{ type: 'MeterClosed', leaseId, totalSeconds: 0, atMs: T + 5 }]);
  });

  it('keeps how it ended while it is cleaned up', () => {
    const failed: OrchestratorEvent = {
      type: 'WorkloadFailed',
      leaseId,
      phase: 'run',
      cause: 'crash_loop',
      message: 'x',
      atMs: T,
    };
    given(workloadDecider, [...up, failed, stop(T)])
      .when({ type: 'ReportDeletionAsked', nowMs: T })
      .thenState((state) => {
        expect(state.observed).toBe('terminating');
        expect(state.outcome).toMatchObject({ kind: 'failed', cause: 'crash_loop' });
      });
  });
});
