import type { StartFailure } from '@gridbourse/events';
import type { Instant } from '@gridbourse/kernel';

/** A container as the cluster reports it. Times are the cluster's own, to the second on most clusters. */
export type ContainerView = {
  readonly state:
    | { readonly kind: 'waiting'; readonly reason: string; readonly message: string }
    | { readonly kind: 'running'; readonly startedAtMs: Instant }
    | {
        readonly kind: 'terminated';
        readonly reason: string;
        readonly exitCode: number;
        readonly startedAtMs: Instant | null;
        readonly finishedAtMs: Instant | null;
      };
  readonly restartCount: number;
  /** How the run before this one ended; null when there was none. */
  readonly lastEnd: { readonly startedAtMs: Instant | null; readonly finishedAtMs: Instant | null } | null;
};

/** What matters of a pod. */
export type PodView = {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** The manifest's service that it is a replica of. */
  readonly service: string;
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly createdAtMs: Instant;
  /** When its deletion was asked for; null while it is wanted. */
  readonly deletedAtMs: Instant | null;
  readonly scheduled: {
    readonly done: boolean;
    readonly reason: string;
    readonly message: string;
  };
  /** Null where the cluster says nothing about readiness. */
  readonly ready: { readonly is: boolean; readonly sinceMs: Instant } | null;
  readonly containers: readonly ContainerView[];
};

/** What a lease wants to see running. */
export type WorkloadShape = {
  readonly run: 'service' | 'job';
  readonly services: readonly { readonly name: string; readonly replicas: number }[];
};

export type Break = { readonly pod: string; readonly atMs: Instant; readonly startedAtMs: Instant | null };

export type Trouble = { readonly cause: StartFailure; readonly message: string };

/** What the cluster vouched for at one instant about one workload. */
export type Evidence = {
  /** Everything below was true at this instant of our clock, or later. */
  readonly provenAtMs: Instant;
  readonly services: readonly { readonly name: string; readonly replicas: number; readonly ready: number }[];
  readonly wanted: number;
  readonly running: number;
  /** Every replica runs (of a job: runs or has succeeded, and at least one still runs). */
  readonly healthy: boolean;
  /** Since when all of them do, by the cluster's clock; null when not healthy. */
  readonly healthySinceMs: Instant | null;
  /** The very containers that run, or ran to their end. The same text later means: they ran on without a restart. */
  readonly incarnation: string;
  /** Instants at which the cluster says that something stopped, each with the pod and the start of the run it ended. */
  readonly breaks: readonly Break[];
  /** Every pod that the cluster still shows, by uid. */
  readonly pods: readonly string[];
  /** A job that has come to its end. */
  readonly exit: {
    readonly exitCode: number;
    readonly startedAtMs: Instant;
    readonly finishedAtMs: Instant;
  } | null;
  readonly pulling: boolean;
  readonly trouble: Trouble | null;
};

const isGone = (pod: PodView): boolean => pod.deletedAtMs !== null;
const isRunning = (pod: PodView): boolean =>
  pod.phase === 'Running' &&
  !isGone(pod) &&
  (pod.ready === null || pod.ready.is) &&
  pod.containers.length > 0 &&
  pod.containers.every((container) => container.state.kind === 'running');
/**
 * After a crash a container has to run for so long before it counts as running again: the short runs of a crash loop are
 * neither an end of the trouble nor anything to pay for.
 */
export const SETTLE_AFTER_CRASH_MS = 10_000;

/** It runs, but crashed before, and not long ago. */
export const isUnsettled = (pod: PodView, nowMs: Instant): boolean =>
  pod.containers.some(
    ({ state, restartCount }) =>
      state.kind === 'running' && restartCount > 0 && nowMs - state.startedAtMs < SETTLE_AFTER_CRASH_MS,
  );
const hasEnded = (pod: PodView): boolean => pod.phase === 'Succeeded' || pod.phase === 'Failed';

/** The runtime could not even begin: no program of the tenant ran. */
const NEVER_BEGAN = new Set([
  'StartError',
  'ContainerCannotRun',
  'CreateContainerError',
  'RunContainerError',
]);
const ranToItsEnd = (pod: PodView): boolean =>
  hasEnded(pod) &&
  pod.containers.length > 0 &&
  pod.containers.every(
    ({ state }) =>
      state.kind === 'terminated' && state.finishedAtMs !== null && !NEVER_BEGAN.has(state.reason),
  );

const startOf = ({ state }: ContainerView): Instant =>
  state.kind === 'running' ? state.startedAtMs : state.kind === 'terminated' ? (state.startedAtMs ?? 0) : 0;

/** Readiness counts in a service only: a pod of a job stops being ready because it is done. */
const markOf = (pod: PodView, run: WorkloadShape['run']): string => {
  const restarts = pod.containers.map((container) => container.restartCount).join('.');
  const ready = run === 'service' ? `@${pod.ready?.sinceMs ?? 0}` : '';
  return `${pod.name}/${pod.uid}#${restarts}${ready}`;
};

const byAge = (a: PodView, b: PodView): number =>
  a.createdAtMs - b.createdAtMs || (a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0);

/** The pods whose containers an incarnation names. */
export const podsOfIncarnation = (incarnation: string): { readonly name: string; readonly uid: string }[] =>
  incarnation === ''
    ? []
    : incarnation.split(',').map((mark) => {
        const [name, rest] = mark.split('/', 2);
        return { name: name!, uid: rest!.split('#', 1)[0]! };
      });

const breaksOf = (pods: readonly PodView[]): Break[] => {
  const breaks: Break[] = [];
  for (const pod of pods) {
    const at = (atMs: Instant, startedAtMs: Instant | null): number =>
      breaks.push({ pod: pod.uid, atMs, startedAtMs });
    if (pod.deletedAtMs !== null) at(pod.deletedAtMs, null);
    if (pod.ready && !pod.ready.is) at(pod.ready.sinceMs, null);
    for (const { state, lastEnd } of pod.containers) {
      const end = state.kind === 'terminated' ? state : lastEnd;
      if (end && end.finishedAtMs !== null) at(end.finishedAtMs, end.startedAtMs);
    }
  }
  return breaks.sort((a, b) => a.atMs - b.atMs);
};

/**
 * Reads the pods of one namespace as one workload.
 * @param options.provenAtMs when the request that brought these pods was sent, or when the watch delivered them
 * @param options.trouble what keeps pods from being there at all (quota, refused objects), from the cluster's events
 */
export const readEvidence = (
  shape: WorkloadShape,
  pods: readonly PodView[],
  options: { provenAtMs: Instant; podTrouble: (pod: PodView) => Trouble | null; trouble?: Trouble | null },
): Evidence => {
  const services: { name: string; replicas: number; ready: number }[] = [];
  const chosen: PodView[] = [];
  let ended = 0;
  let live = 0;
  for (const { name, replicas } of shape.services) {
    const own = pods.filter((pod) => pod.service === name).sort(byAge);
    const running = own
      .filter((pod) => isRunning(pod) && !isUnsettled(pod, options.provenAtMs))
      .slice(0, replicas);
    const done = shape.run === 'job' ? own.filter(ranToItsEnd).slice(0, replicas - running.length) : [];
    services.push({ name, replicas, ready: running.length });
    chosen.push(...running, ...done);
    live += running.length;
    ended += done.length;
  }
  const wanted = services.reduce((sum, service) => sum + service.replicas, 0);
  const complete = live + ended === wanted;
  const healthy = complete && live > 0;
  const containers = chosen.flatMap((pod) => pod.containers);
  const startedAtMs = containers.reduce((latest, container) => Math.max(latest, startOf(container)), 0);
  const readyAtMs =
    shape.run === 'service'
      ? chosen.reduce((latest, pod) => Math.max(latest, pod.ready?.sinceMs ?? 0), 0)
      : 0;
  const ends = containers.flatMap(({ state }) => (state.kind === 'terminated' ? [state] : []));
  const waiting = pods.filter(
    (pod) => !isGone(pod) && !hasEnded(pod) && (!isRunning(pod) || isUnsettled(pod, options.provenAtMs)),
  );
  const podTrouble = waiting.map(options.podTrouble).find((found) => found !== null) ?? null;
  const failedPod = pods.find(
    (pod) => hasEnded(pod) && !ranToItsEnd(pod) && options.podTrouble(pod) !== null,
  );
  return {
    provenAtMs: options.provenAtMs,
    services,
    wanted,
    running: live,
    healthy,
    healthySinceMs: healthy ? Math.max(startedAtMs, readyAtMs) : null,
    incarnation: complete
      ? chosen
          .map((pod) => markOf(pod, shape.run))
          .sort()
          .join(',')
      : '',
    breaks: breaksOf(pods),
    pods: pods.map((pod) => pod.uid),
    exit:
      complete && live === 0
        ? {
            exitCode: ends.find((end) => end.exitCode !== 0)?.exitCode ?? 0,
            startedAtMs,
            finishedAtMs: ends.reduce((latest, end) => Math.max(latest, end.finishedAtMs ?? 0), 0),
          }
        : null,
    pulling: waiting.some((pod) => pod.scheduled.done),
    trouble: complete
      ? null
      : (podTrouble ?? (failedPod ? options.podTrouble(failedPod) : null) ?? options.trouble ?? null),
  };
};
