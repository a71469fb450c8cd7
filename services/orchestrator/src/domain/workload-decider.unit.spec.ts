import { describe, expect, it } from '@jest/globals';
import type { LeaseId, ProviderId } from '@gridbourse/kernel';
import { given } from '@gridbourse/testing';
import type { Evidence } from './evidence.ts';
import type { WorkloadCommand, WorkloadPolicy } from './workload-commands.ts';
import { workloadDecider } from './workload-decider.ts';
import type { OrchestratorEvent } from './workload-events.ts';

const leaseId = 'lea_00000000000000000000000001' as LeaseId;
const providerId = 'prv_00000000000000000000000001' as ProviderId;
const namespace = 'gb-lea-00000000000000000000000001';
const T = 1_000_000_000;

const policy: WorkloadPolicy = {
  durationSeconds: 3_600,
  windowMs: 60_000,
  startDeadlinesMs: {
    image_pull: 30_000,
    unschedulable: 20_000,
    crash_loop: 30_000,
    quota: 10_000,
    no_gpu: 20_000,
    invalid_spec: 0,
    cluster_unreachable: 60_000,
    deadline: 600_000,
    vanished: 0,
  },
  degradedDeadlineMs: 300_000,
};

const evidence = (change: Partial<Evidence> = {}): Evidence => ({
  provenAtMs: T,
  services: [{ name: 'web', replicas: 1, ready: 1 }],
  wanted: 1,
  running: 1,
  healthy: true,
  healthySinceMs: T,
  incarnation: 'web-1/uid-1#0',
  breaks: [],
  pods: ['uid-1'],
  exit: null,
  pulling: false,
  trouble: null,
  ...change,
});
const broken = (change: Partial<Evidence> = {}): Evidence =>
  evidence({ running: 0, healthy: false, healthySinceMs: null, incarnation: '', ...change });

const observe = (
  seen: Evidence,
  change: Partial<Extract<WorkloadCommand, { type: 'Observe' }>> = {},
): WorkloadCommand => ({
  type: 'Observe',
  evidence: seen,
  lastProof: null,
  notBeforeMs: 0,
  endpoints: [],
  nowMs: seen.provenAtMs,
  policy,
  ...change,
});

const requested: OrchestratorEvent = {
  type: 'WorkloadRequested',
  leaseId,
  providerId,
  namespace,
  atMs: T - 1_000,
};
const provisioning: OrchestratorEvent = { type: 'WorkloadProvisioning', leaseId, objects: 9, atMs: T - 900 };
const running: OrchestratorEvent = {
  type: 'WorkloadRunning',
  leaseId,
  runningSinceMs: T,
  endpoints: [],
  atMs: T,
};
const opened: OrchestratorEvent = { type: 'MeterOpened', leaseId, sinceMs: T, incarnation: 'web-1/uid-1#0' };
const window = (from: number, to: number, seconds: number, cumulativeSeconds: number): OrchestratorEvent => ({
  type: 'UsageRecorded',
  leaseId,
  usageId: `${leaseId}/${from}`,
  windowStartMs: from,
  windowEndMs: to,
  seconds,
  cumulativeSeconds,
});
const stop = (atMs: number, reason: 'tenant' | 'provider_lost' | 'lapsed' = 'tenant'): OrchestratorEvent => ({
  type: 'WorkloadUnwanted',
  leaseId,
  reason,
  atMs,
});
const started = [requested, provisioning];
const up = [...started, running, opened];

describe('the start of a workload', () => {
  it('puts the intent on record once', () => {
    const command: WorkloadCommand = {
      type: 'RequestWorkload',
      leaseId,
      providerId,
      namespace,
      nowMs: T - 1_000,
    };
    given(workloadDecider).when(command).then([requested]);
    given(workloadDecider, [requested]).when(command).thenNothing();
    given(workloadDecider, [stop(T)])
      .when(command)
      .thenNothing();
  });

  it('looks at nothing before all objects are applied', () => {
    given(workloadDecider, [requested]).when(observe(evidence())).thenNothing();
    given(workloadDecider, [requested])
      .when({ type: 'ReportApplied', objects: 9, nowMs: T - 900 })
      .then([provisioning]);
  });

  it('runs once every replica does, and the meter starts', () => {
    given(workloadDecider, started).when(observe(evidence())).then([running, opened]);
  });

  it('believes the clock of the cluster only within what our own knows', () => {
    const since = (healthySinceMs: number, notBeforeMs = 0): number => {
      const [event] = workloadDecider.decide(
        observe(evidence({ healthySinceMs }), { notBeforeMs }),
        started.reduce(workloadDecider.evolve, workloadDecider.initial),
      );
      return event?.type === 'WorkloadRunning' ? event.runningSinceMs : Number.NaN;
    };
    expect(since(T - 10)).toBe(T - 10);
    expect(since(T + 3_600_000)).toBe(T);
    expect(since(T - 3_600_000)).toBe(T - 1_000);
    expect(since(T - 500, T - 200)).toBe(T - 200);
  });

  it('fails with the cause when its deadline is over', () => {
    const trouble = { cause: 'image_pull' as const, message: 'no such image' };
    const troubled: OrchestratorEvent = { type: 'WorkloadTroubled', leaseId, ...trouble, atMs: T };
    const pulling: OrchestratorEvent = { type: 'WorkloadStarting', leaseId, phase: 'pulling', atMs: T };
    const seen = broken({ pulling: true, trouble });
    given(workloadDecider, started).when(observe(seen)).then([pulling, troubled]);
    given(workloadDecider, [...started, pulling, troubled])
      .when(observe({ ...seen, provenAtMs: T + 29_999 }))
      .thenNothing();
    given(workloadDecider, [...started, pulling, troubled])
      .when(observe({ ...seen, provenAtMs: T + 30_000 }))
      .then([{ type: 'WorkloadFailed', leaseId, phase: 'start', ...trouble, atMs: T + 30_000 }]);
  });

  it('fails at once when the cluster refuses what it is', () => {
    const trouble = { cause: 'invalid_spec' as const, message: 'refused' };
    given(workloadDecider, [requested])
      .when({ type: 'ReportTrouble', trouble, nowMs: T, policy })
      .then([
        { type: 'WorkloadTroubled', leaseId, ...trouble, atMs: T },
        { type: 'WorkloadFailed', leaseId, phase: 'start', ...trouble, atMs: T },
      ]);
  });

  it('fails when nothing is known and the time for a start is over', () => {
    const [, event] = workloadDecider.decide(
      observe(broken({ provenAtMs: T + 600_000 })),
      [...started, { type: 'WorkloadStarting', leaseId, phase: 'pulling', atMs: T } as const].reduce(
        workloadDecider.evolve,
        workloadDecider.initial,
      ),
    );
    expect(event).toMatchObject({ type: 'WorkloadFailed', phase: 'start', cause: 'deadline' });
  });

  it('starts the deadline of a cause anew when another cause takes its place', () => {
    const first: OrchestratorEvent = {
      type: 'WorkloadTroubled',
      leaseId,
      cause: 'unschedulable',
      message: '',
      atMs: T,
    };
    const trouble = { cause: 'image_pull' as const, message: 'no such image' };
    given(workloadDecider, [...started, first])
      .when({ type: 'ReportTrouble', trouble, nowMs: T + 25_000, policy })
      .then([{ type: 'WorkloadTroubled', leaseId, ...trouble, atMs: T + 25_000 }]);
  });
});

describe('a running workload', () => {
  it('is recorded in windows', () => {
    given(workloadDecider, up)
      .when(observe(evidence({ provenAtMs: T + 59_999 })))
      .thenNothing();
    given(workloadDecider, up)
      .when(observe(evidence({ provenAtMs: T + 60_500 })))
      .then([window(T, T + 60_500, 60, 60)]);
  });

  it('never bills more than the duration', () => {
    given(workloadDecider, up)
      .when(observe(evidence({ provenAtMs: T + 7_200_000 })))
      .then([window(T, T + 3_600_000, 3_600, 3_600)]);
    given(workloadDecider, [...up, window(T, T + 3_600_000, 3_600, 3_600)])
      .when(observe(evidence({ provenAtMs: T + 7_300_000 })))
      .thenNothing();
  });

  it('pauses the meter at the moment that the cluster says it broke', () => {
    const seen = broken({
      provenAtMs: T + 50_000,
      breaks: [{ pod: 'uid-1', atMs: T + 40_000, startedAtMs: T }],
    });
    given(workloadDecider, up)
      .when(observe(seen))
      .then([
        window(T, T + 40_000, 40, 40),
        {
          type: 'WorkloadDegraded',
          leaseId,
          running: 0,
          wanted: 1,
          reason: '0 of 1 replicas run',
          atMs: T + 50_000,
        },
      ]);
  });

  it('pauses the meter at the last proof when the pod took the moment of its end with it', () => {
    const seen = broken({
      provenAtMs: T + 50_000,
      pods: ['uid-2'],
      breaks: [{ pod: 'uid-2', atMs: T + 45_000, startedAtMs: null }],
    });
    const lastProof = { incarnation: 'web-1/uid-1#0', atMs: T + 20_000 };
    const [usage] = workloadDecider.decide(
      observe(seen, { lastProof }),
      up.reduce(workloadDecider.evolve, workloadDecider.initial),
    );
    expect(usage).toEqual(window(T, T + 20_000, 20, 20));
  });

  it('begins a stretch of its own when the container was restarted unseen', () => {
    const seen = evidence({
      provenAtMs: T + 120_000,
      healthySinceMs: T + 100_000,
      incarnation: 'web-1/uid-1#1',
      breaks: [{ pod: 'uid-1', atMs: T + 90_000, startedAtMs: T }],
    });
    given(workloadDecider, up)
      .when(observe(seen))
      .then([
        window(T, T + 90_000, 90, 90),
        { type: 'MeterOpened', leaseId, sinceMs: T + 100_000, incarnation: 'web-1/uid-1#1' },
      ]);
  });

  it('trusts no end of a run that is not the metered one', () => {
    const seen = evidence({
      provenAtMs: T + 120_000,
      healthySinceMs: T + 100_000,
      incarnation: 'web-1/uid-1#5',
      breaks: [{ pod: 'uid-1', atMs: T + 90_000, startedAtMs: T + 80_000 }],
    });
    const lastProof = { incarnation: 'web-1/uid-1#0', atMs: T + 10_000 };
    const [usage] = workloadDecider.decide(
      observe(seen, { lastProof }),
      up.reduce(workloadDecider.evolve, workloadDecider.initial),
    );
    expect(usage).toEqual(window(T, T + 10_000, 10, 10));
  });

  it('is billed for time out of sight once the same containers are proven to have run on', () => {
    const unknown: OrchestratorEvent = {
      type: 'WorkloadUnknown',
      leaseId,
      lastSeenAtMs: T + 10_000,
      atMs: T + 55_000,
    };
    given(workloadDecider, up)
      .when({ type: 'LoseSight', lastSeenAtMs: T + 10_000, nowMs: T + 55_000 })
      .then([unknown]);
    given(workloadDecider, [...up, unknown])
      .when(observe(evidence({ provenAtMs: T + 600_000 })))
      .then([
        { type: 'WorkloadRunning', leaseId, runningSinceMs: T, endpoints: [], atMs: T + 600_000 },
        window(T, T + 600_000, 600, 600),
      ]);
  });

  it('fails when it stays degraded for too long', () => {
    const degraded: OrchestratorEvent = {
      type: 'WorkloadDegraded',
      leaseId,
      running: 0,
      wanted: 1,
      reason: '',
      atMs: T,
    };
    given(workloadDecider, [...up, degraded])
      .when(observe(broken({ provenAtMs: T + 299_999 })))
      .thenNothing();
    const [event] = workloadDecider.decide(
      observe(broken({ provenAtMs: T + 300_000 })),
      [...up, degraded].reduce(workloadDecider.evolve, workloadDecider.initial),
    );
    expect(event).toMatchObject({ type: 'WorkloadFailed', phase: 'run', cause: 'deadline' });
  });

  it('has failed when its namespace is gone and we did not remove it', () => {
    const lastProof = { incarnation: 'web-1/uid-1#0', atMs: T + 30_000 };
    const events = workloadDecider.decide(
      { type: 'ReportVanished', lastProof, nowMs: T + 40_000, policy },
      up.reduce(workloadDecider.evolve, workloadDecider.initial),
    );
    expect(events).toEqual([
      window(T, T + 30_000, 30, 30),
      expect.objectContaining({ type: 'WorkloadFailed', phase: 'run', cause: 'vanished' }),
    ]);
  });

  it('absorbs whatever is seen after it has failed or exited', () => {
    const exited: OrchestratorEvent = {
      type: 'WorkloadExited',
      leaseId,
      exitCode: 0,
      finishedAtMs: T + 5_000,
      atMs: T + 6_000,
    };
    const after = [...up, exited];
    given(workloadDecider, after)
      .when(observe(evidence({ provenAtMs: T + 90_000 })))
      .thenNothing();
    given(workloadDecider, after)
      .when({ type: 'LoseSight', lastSeenAtMs: T, nowMs: T + 90_000 })
      .thenNothing();
    given(workloadDecider, after)
      .when({ type: 'ReportVanished', lastProof: null, nowMs: T + 90_000, policy })
      .thenNothing();
  });
});

describe('a job', () => {
  it('is billed to its end, also when it was over before it was seen to run', () => {
    const seen = evidence({
      provenAtMs: T + 10_000,
      running: 0,
      healthy: false,
      healthySinceMs: null,
      exit: { exitCode: 3, startedAtMs: T, finishedAtMs: T + 7_000 },
    });
    given(workloadDecider, started)
      .when(observe(seen))
      .then([
        { ...running, atMs: T + 10_000 },
        opened,
        window(T, T + 7_000, 7, 7),
        { type: 'WorkloadExited', leaseId, exitCode: 3, finishedAtMs: T + 7_000, atMs: T + 10_000 },
      ]);
  });
});

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
