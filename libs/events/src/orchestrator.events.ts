import { z } from 'zod';
import { eventFamily, type EventOf } from './define.ts';
import { count, id, instant, seconds } from './fields.ts';

/** One workload a lease. */
const workload = eventFamily('orchestrator', 'workload', 'public', 'the id of the lease');

export const startFailure = z.enum([
  'image_pull',
  'unschedulable',
  'crash_loop',
  'quota',
  'no_gpu',
  'invalid_spec',
  'cluster_unreachable',
  'deadline',
  /** It ran, and its namespace is gone from the cluster without our doing. */
  'vanished',
]);

export const workloadRequested = workload(
  'WorkloadRequested',
  'The intent to run is on record; the namespace name is fixed.',
  z.object({
    leaseId: id('lease'),
    providerId: id('provider'),
    namespace: z.string().max(63),
    atMs: instant,
  }),
);

export const workloadProvisioning = workload(
  'WorkloadProvisioning',
  'All objects are applied in the cluster.',
  z.object({ leaseId: id('lease'), objects: count, atMs: instant }),
);

export const workloadRunning = workload(
  'WorkloadRunning',
  'Every replica runs. The first of these starts the meter.',
  z.object({
    leaseId: id('lease'),
    runningSinceMs: instant.describe('As the cluster saw it, never later than `atMs`.'),
    endpoints: z.array(z.object({ service: z.string(), port: z.int(), url: z.string().max(500) })),
    atMs: instant,
  }),
);

export const workloadDegraded = workload(
  'WorkloadDegraded',
  'Some replicas do not run: the meter pauses.',
  z.object({
    leaseId: id('lease'),
    running: count,
    wanted: count,
    reason: z.string().max(500),
    atMs: instant,
  }),
);

export const workloadUnknown = workload(
  'WorkloadUnknown',
  'The cluster cannot be seen. Nothing is concluded; the meter waits for evidence.',
  z.object({ leaseId: id('lease'), lastSeenAtMs: instant, atMs: instant }),
);

export const workloadFailed = workload(
  'WorkloadFailed',
  'It did not start, or stopped for a reason that will not go away.',
  z.object({
    leaseId: id('lease'),
    phase: z.enum(['start', 'run']),
    cause: startFailure,
    message: z.string().max(1_000),
    atMs: instant,
  }),
);

export const workloadExited = workload(
  'WorkloadExited',
  'A job ran to completion.',
  z.object({ leaseId: id('lease'), exitCode: z.int(), finishedAtMs: instant, atMs: instant }),
);

export const workloadTerminating = workload(
  'WorkloadTerminating',
  'Deletion of the namespace was asked for.',
  z.object({ leaseId: id('lease'), atMs: instant }),
);

export const usageRecorded = workload(
  'UsageRecorded',
  'Running seconds of one window. Windows of a lease do not overlap; the same id is the same window.',
  z.object({
    leaseId: id('lease'),
    usageId: z
      .string()
      .max(80)
      .describe('`<leaseId>/<windowStartMs>`: a redelivered window is recognised by it.'),
    windowStartMs: instant,
    windowEndMs: instant,
    seconds: seconds.describe('Whole seconds billed in this window.'),
    cumulativeSeconds: seconds.describe(
      "Whole seconds since the lease was activated, this window included; never above the lease's duration.",
    ),
  }),
);

export const meterClosed = workload(
  'MeterClosed',
  'The last word on usage: no UsageRecorded follows. Final settlement may begin.',
  z.object({ leaseId: id('lease'), totalSeconds: seconds, atMs: instant }),
);

export const workloadTerminated = workload(
  'WorkloadTerminated',
  'Proof that nothing of it is left: the cluster answered that the namespace does not exist.',
  z.object({ leaseId: id('lease'), provenAbsentAtMs: instant, everCreated: z.boolean() }),
);

export const workloadEvents = [
  workloadRequested,
  workloadProvisioning,
  workloadRunning,
  workloadDegraded,
  workloadUnknown,
  workloadFailed,
  workloadExited,
  workloadTerminating,
  usageRecorded,
  meterClosed,
  workloadTerminated,
] as const;
export type WorkloadEvent = EventOf<(typeof workloadEvents)[number]>;
export type UsageRecorded = EventOf<typeof usageRecorded>;
export type StartFailure = z.output<typeof startFailure>;
