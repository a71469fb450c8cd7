import { rfc3339 } from '@gridbourse/kernel';
import { z } from 'zod';
import type { ClusterEvent } from '../../adapters/kubernetes/cluster-schemas.ts';
import type { Workload } from '../../adapters/workload-store.ts';

const time = z.iso.datetime();

export const workloadDto = z
  .object({
    leaseId: z.string(),
    /** Null when nothing was ever asked of a cluster. */
    namespace: z.string().nullable(),
    desired: z.enum(['running', 'absent']),
    observed: z.enum([
      'pending',
      'pulling',
      'running',
      'degraded',
      'unknown',
      'failed',
      'exited',
      'terminating',
      'absent',
    ]),
    services: z.array(z.object({ name: z.string(), replicas: z.int(), ready: z.int() })),
    endpoints: z.array(z.object({ service: z.string(), port: z.int(), url: z.string() })),
    runningSince: time.nullable(),
    /** Billed so far. */
    seconds: z.int(),
    lastSeenAt: time.nullable(),
    /** What keeps it from running now, or what ended it. */
    failure: z
      .object({
        cause: z.string(),
        message: z.string(),
        phase: z.enum(['start', 'run']),
        final: z.boolean(),
        at: time,
      })
      .nullable(),
    exit: z.object({ code: z.int(), finishedAt: time }).nullable(),
    provenAbsentAt: time.nullable(),
  })
  .meta({ id: 'Workload' });

export const workloadEventsDto = z
  .object({
    items: z.array(
      z.object({ at: time, type: z.string(), reason: z.string(), message: z.string(), object: z.string() }),
    ),
  })
  .meta({ id: 'WorkloadEvents' });

const timeOrNull = (instant: number | null): string | null => (instant === null ? null : rfc3339(instant));

const failureOf = ({ state }: Workload): z.output<typeof workloadDto>['failure'] => {
  const { outcome, trouble } = state;
  if (outcome?.kind === 'failed') {
    const { cause, message, phase, atMs } = outcome;
    return { cause, message, phase, final: true, at: rfc3339(atMs) };
  }
  if (outcome || !trouble) return null;
  const phase = state.runningSinceMs === null ? 'start' : 'run';
  return {
    cause: trouble.cause,
    message: trouble.message,
    phase,
    final: false,
    at: rfc3339(trouble.sinceMs),
  };
};

export const toWorkloadDto = (
  workload: Workload,
  lastSeenMs: number | null,
): z.output<typeof workloadDto> => {
  const { leaseId, state, services } = workload;
  const { outcome } = state;
  return {
    leaseId,
    namespace: state.namespace,
    desired: state.desired,
    observed: state.observed,
    services: services.map((service) => ({
      ...service,
      ready: state.desired === 'running' && !outcome ? service.ready : 0,
    })),
    endpoints: state.endpoints.map((endpoint) => ({ ...endpoint })),
    runningSince: timeOrNull(state.runningSinceMs),
    seconds: state.meter.cumulativeSeconds,
    lastSeenAt: timeOrNull(lastSeenMs),
    failure: failureOf(workload),
    exit:
      outcome?.kind === 'exited'
        ? { code: outcome.exitCode, finishedAt: rfc3339(outcome.finishedAtMs) }
        : null,
    provenAbsentAt: timeOrNull(state.provenAbsentAtMs),
  };
};

export const toWorkloadEventsDto = (events: readonly ClusterEvent[]): z.output<typeof workloadEventsDto> => ({
  items: events.map(({ atMs, type, reason, message, object }) => ({
    at: rfc3339(atMs),
    type,
    reason,
    message,
    object,
  })),
});
