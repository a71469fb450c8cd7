import type { CloseReason, StartFailure } from '@gridbourse/events';
import type { Instant, LeaseId, ProviderId, Transitions } from '@gridbourse/kernel';
import { type MeterState, newMeter, withClosed, withOpened, withPaused, withWindow } from './meter.ts';
import type { OrchestratorEvent } from './workload-events.ts';

export type Desired = 'running' | 'absent';
export type Observed =
  'pending' | 'pulling' | 'running' | 'degraded' | 'unknown' | 'failed' | 'exited' | 'terminating' | 'absent';

/**
 * How what is observed may change. `failed` and `exited` absorb everything but the clean-up, and how a workload ended
 * stays in `outcome` whatever the clean-up does.
 */
export const observedTransitions: Transitions<Observed> = {
  pending: ['pulling', 'running', 'unknown', 'failed', 'terminating', 'absent'],
  pulling: ['pending', 'running', 'unknown', 'failed', 'terminating', 'absent'],
  running: ['degraded', 'unknown', 'failed', 'exited', 'terminating', 'absent'],
  degraded: ['running', 'unknown', 'failed', 'terminating', 'absent'],
  unknown: ['pending', 'pulling', 'running', 'degraded', 'failed', 'terminating', 'absent'],
  failed: ['terminating', 'absent'],
  exited: ['terminating', 'absent'],
  terminating: ['absent'],
  absent: [],
};

export type Endpoint = { readonly service: string; readonly port: number; readonly url: string };

export type Outcome =
  | {
      readonly kind: 'failed';
      readonly phase: 'start' | 'run';
      readonly cause: StartFailure;
      readonly message: string;
      readonly atMs: Instant;
    }
  | { readonly kind: 'exited'; readonly exitCode: number; readonly finishedAtMs: Instant };

/** Plain JSON, so that it can be kept beside its stream as a snapshot. */
export type WorkloadState = {
  readonly leaseId: LeaseId | null;
  readonly providerId: ProviderId | null;
  /** Null: nothing was ever asked of a cluster. */
  readonly namespace: string | null;
  readonly desired: Desired;
  readonly observed: Observed;
  readonly requestedAtMs: Instant | null;
  /** All objects were accepted by the cluster. */
  readonly appliedAtMs: Instant | null;
  /** Of the first Running. */
  readonly runningSinceMs: Instant | null;
  readonly degradedSinceMs: Instant | null;
  readonly trouble: {
    readonly cause: StartFailure;
    readonly message: string;
    readonly sinceMs: Instant;
  } | null;
  readonly endpoints: readonly Endpoint[];
  readonly outcome: Outcome | null;
  readonly stop: { readonly reason: CloseReason | 'lapsed'; readonly atMs: Instant } | null;
  readonly meter: MeterState;
  readonly provenAbsentAtMs: Instant | null;
};

export const noWorkload: WorkloadState = {
  leaseId: null,
  providerId: null,
  namespace: null,
  desired: 'absent',
  observed: 'absent',
  requestedAtMs: null,
  appliedAtMs: null,
  runningSinceMs: null,
  degradedSinceMs: null,
  trouble: null,
  endpoints: [],
  outcome: null,
  stop: null,
  meter: newMeter,
  provenAbsentAtMs: null,
};

export const everRan = (state: WorkloadState): boolean => state.runningSinceMs !== null;
/** Nothing is left to do: its absence is proven and its usage told. */
export const isOver = (state: WorkloadState): boolean =>
  state.provenAbsentAtMs !== null && state.meter.closed;

export const evolve = (state: WorkloadState, event: OrchestratorEvent): WorkloadState => {
  switch (event.type) {
    case 'WorkloadRequested':
      return {
        ...state,
        leaseId: event.leaseId,
        providerId: event.providerId,
        namespace: event.namespace,
        desired: 'running',
        observed: 'pending',
        requestedAtMs: event.atMs,
      };
    case 'WorkloadProvisioning':
      return { ...state, appliedAtMs: event.atMs };
    case 'WorkloadStarting':
      return { ...state, observed: event.phase };
    case 'WorkloadTroubled':
      return {
        ...state,
        trouble:
          event.cause === null ? null : { cause: event.cause, message: event.message, sinceMs: event.atMs },
      };
    case 'WorkloadRunning':
      return {
        ...state,
        observed: 'running',
        runningSinceMs: state.runningSinceMs ?? event.runningSinceMs,
        degradedSinceMs: null,
        trouble: null,
        endpoints: event.endpoints,
      };
    case 'WorkloadDegraded':
      return {
        ...state,
        observed: 'degraded',
        degradedSinceMs: state.degradedSinceMs ?? event.atMs,
        meter: withPaused(state.meter),
      };
    case 'WorkloadUnknown':
      return { ...state, observed: 'unknown' };
    case 'WorkloadFailed': {
      const { phase, cause, message, atMs } = event;
      return {
        ...state,
        observed: 'failed',
        outcome: { kind: 'failed', phase, cause, message, atMs },
        meter: withPaused(state.meter),
      };
    }
    case 'WorkloadExited':
      return {
        ...state,
        observed: 'exited',
        outcome: { kind: 'exited', exitCode: event.exitCode, finishedAtMs: event.finishedAtMs },
        meter: withPaused(state.meter),
      };
    case 'WorkloadUnwanted':
      return {
        ...state,
        leaseId: event.leaseId,
        desired: 'absent',
        stop: { reason: event.reason, atMs: event.atMs },
      };
    case 'WorkloadTerminating':
      return { ...state, observed: 'terminating' };
    case 'MeterOpened':
      return { ...state, meter: withOpened(state.meter, event.sinceMs, event.incarnation) };
    case 'UsageRecorded':
      return { ...state, meter: withWindow(state.meter, event) };
    case 'MeterClosed':
      return { ...state, meter: withClosed(state.meter) };
    case 'WorkloadTerminated':
      return { ...state, observed: 'absent', provenAbsentAtMs: event.provenAbsentAtMs };
  }
};
