import type { LeaseId, ProviderId } from '@gridbourse/kernel';
import type { Evidence } from '../../src/domain/evidence.ts';
import type { WorkloadCommand, WorkloadPolicy } from '../../src/domain/workload-commands.ts';
import type { OrchestratorEvent } from '../../src/domain/workload-events.ts';

export const leaseId = 'lea_00000000000000000000000001' as LeaseId;
export const providerId = 'prv_00000000000000000000000001' as ProviderId;
export const namespace = 'gb-lea-00000000000000000000000001';
export const T = 1_000_000_000;

export const policy: WorkloadPolicy = {
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

export const evidence = (change: Partial<Evidence> = {}): Evidence => ({
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
export const broken = (change: Partial<Evidence> = {}): Evidence =>
  evidence({ running: 0, healthy: false, healthySinceMs: null, incarnation: '', ...change });

export const observe = (
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

export const requested: OrchestratorEvent = {
  type: 'WorkloadRequested',
  leaseId,
  providerId,
  namespace,
  atMs: T - 1_000,
};
export const provisioning: OrchestratorEvent = {
  type: 'WorkloadProvisioning',
  leaseId,
  objects: 9,
  atMs: T - 900,
};
export const running: OrchestratorEvent = {
  type: 'WorkloadRunning',
  leaseId,
  runningSinceMs: T,
  endpoints: [],
  atMs: T,
};
export const opened: OrchestratorEvent = {
  type: 'MeterOpened',
  leaseId,
  sinceMs: T,
  incarnation: 'web-1/uid-1#0',
};
export const window = (
  from: number,
  to: number,
  seconds: number,
  cumulativeSeconds: number,
): OrchestratorEvent => ({
  type: 'UsageRecorded',
  leaseId,
  usageId: `${leaseId}/${from}`,
  windowStartMs: from,
  windowEndMs: to,
  seconds,
  cumulativeSeconds,
});
export const stop = (
  atMs: number,
  reason: 'tenant' | 'provider_lost' | 'lapsed' = 'tenant',
): OrchestratorEvent => ({
  type: 'WorkloadUnwanted',
  leaseId,
  reason,
  atMs,
});
export const started = [requested, provisioning];
export const up = [...started, running, opened];
