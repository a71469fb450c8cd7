import { describe, expect, it } from '@jest/globals';
import { given } from '@gridbourse/testing';
import {
  T,
  broken,
  evidence,
  leaseId,
  namespace,
  observe,
  opened,
  policy,
  providerId,
  provisioning,
  requested,
  running,
  started,
  stop,
  up,
  window,
} from '../../test/support/workload-history.ts';
import type { WorkloadCommand } from './workload-commands.ts';
import { workloadDecider } from './workload-decider.ts';
import type { OrchestratorEvent } from './workload-events.ts';

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
        { type: 'WorkloadRunning', leaseId, runningSinceMs: T, endpoints: [], atMs: T + 10_000 },
        opened,
        window(T, T + 7_000, 7, 7),
        { type: 'WorkloadExited', leaseId, exitCode: 3, finishedAtMs: T + 7_000, atMs: T + 10_000 },
      ]);
  });
});
