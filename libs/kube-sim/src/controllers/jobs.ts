import { JOBS, PODS } from '../kinds.ts';
import { conditionOf, type Job, kubeTime, type Pod, withCondition } from '../objects.ts';
import {
  type Controller,
  type ControllerContext,
  keyOf,
  ownAndOwned,
  recordEvent,
  removeQuietly,
  splitKey,
} from './context.ts';
import { randomSuffix } from '../api/writer.ts';
import { isActive, isReady, makePod, podsOf } from './owned-pods.ts';

const RETRY_MS = 1_000;
const INDEX = 'batch.kubernetes.io/job-completion-index';

type Progress = { active: Pod[]; succeeded: Pod[]; failed: Pod[] };

const progressOf = (pods: readonly Pod[]): Progress => ({
  active: pods.filter(isActive),
  succeeded: pods.filter((pod) => pod.status.phase === 'Succeeded'),
  failed: pods.filter((pod) => pod.status.phase === 'Failed'),
});

const indexOf = (pod: Pod): number => Number(pod.metadata.annotations?.[INDEX] ?? -1);

/** `0-2,5` as `status.completedIndexes` has it. */
const ranges = (indexes: readonly number[]): string => {
  const sorted = [...new Set(indexes)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end += 1;
    parts.push(end === i ? `${sorted[i]}` : `${sorted[i]}-${sorted[end]}`);
    i = end + 1;
  }
  return parts.join(',');
};

/** Runs pods until enough of them succeeded, too many failed, or the time is over. */
export const jobController = (context: ControllerContext): Controller => {
  const { store, writer, clock, timers, timings, enqueue } = context;

  const isOver = (job: Job): boolean =>
    ['Complete', 'Failed'].some((type) => conditionOf(job.status?.conditions, type)?.status === 'True');

  const failures = ({ failed, active }: Progress): number =>
    failed.length +
    active.reduce(
      (n, pod) => n + (pod.status.containerStatuses ?? []).reduce((m, each) => m + each.restartCount, 0),
      0,
    );

  const failureOf = (job: Job, progress: Progress): { reason: string; message: string } | null => {
    const limit = job.spec.activeDeadlineSeconds;
    if (limit !== undefined && job.status?.startTime !== undefined) {
      const dueMs = Date.parse(job.status.startTime) + limit * 1_000;
      if (clock.now() >= dueMs)
        return { reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
      timers.set(`deadline ${keyOf(job)}`, dueMs - clock.now(), () => enqueue('jobs', keyOf(job)));
    }
    if (failures(progress) > (job.spec.backoffLimit ?? 6)) {
      return { reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
    }
    return null;
  };

  const finish = (
    job: Job,
    type: 'Complete' | 'Failed',
    why: { reason: string; message: string },
    progress: Progress,
  ): void => {
    for (const pod of progress.active) removeQuietly(context, PODS, pod);
    const nowMs = clock.now();
    const early = type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
    const conditions = withCondition(
      withCondition(job.status?.conditions, { type: early, status: 'True', ...why }, nowMs),
      { type, status: 'True', ...why },
      nowMs,
    );
    const ends = progress.succeeded.flatMap(
      (pod) =>
        pod.status.containerStatuses?.map((each) => Date.parse(each.state.terminated?.finishedAt ?? '')) ??
        [],
    );
    const last = Math.max(...ends.filter((each) => Number.isFinite(each)), 0) || nowMs;
    writer.putStatus(JOBS, job, {
      ...withoutActive(job),
      ...counts(job, {
        ...progress,
        active: [],
        failed: type === 'Failed' ? [...progress.failed, ...progress.active] : progress.failed,
      }),
      conditions,
      ...(type === 'Complete' ? { completionTime: kubeTime(last) } : {}),
    });
    recordEvent(context, job, {
      type: type === 'Complete' ? 'Normal' : 'Warning',
      reason: type === 'Complete' ? 'Completed' : why.reason,
      message: type === 'Complete' ? 'Job completed' : why.message,
      component: 'job-controller',
    });
  };

  const withoutActive = (job: Job): object => {
    const { active: _a, ready: _r, terminating: _t, ...rest } = job.status ?? {};
    return rest;
  };

  const counts = (job: Job, { active, succeeded, failed }: Progress): object => ({
    ...(active.length > 0 ? { active: active.length } : {}),
    ready: active.filter(isReady).length,
    ...(succeeded.length > 0 ? { succeeded: succeeded.length } : {}),
    ...(failed.length > 0 ? { failed: failed.length } : {}),
    ...(job.spec.completionMode === 'Indexed' ? { completedIndexes: ranges(succeeded.map(indexOf)) } : {}),
    uncountedTerminatedPods: {},
  });

  const launch = (job: Job, progress: Progress): string | null => {
    const indexed = job.spec.completionMode === 'Indexed';
    const done = indexed ? new Set(progress.succeeded.map(indexOf)).size : progress.succeeded.length;
    const left = job.spec.completions === undefined ? Infinity : job.spec.completions - done;
    const noneNeeded = job.spec.completions === undefined && done > 0;
    const wanted = noneNeeded ? 0 : Math.min(job.spec.parallelism ?? 1, left);
    const taken = new Set([...progress.active, ...progress.succeeded].map(indexOf));
    let index = 0;
    for (let n = progress.active.length; n < wanted; n += 1) {
      while (taken.has(index)) index += 1;
      taken.add(index);
      const own = indexed ? identityOf(job, index) : {};
      const refusal = makePod(context, job, job.spec.template, own);
      if (refusal !== null) return refusal;
    }
    for (const pod of progress.active.slice(wanted)) removeQuietly(context, PODS, pod);
    return null;
  };

  const identityOf = (job: Job, index: number): Parameters<typeof makePod>[3] => ({
    name: `${job.metadata.name}-${index}-${randomSuffix()}`,
    labels: { [INDEX]: String(index) },
    annotations: { [INDEX]: String(index) },
    patch: (spec) => ({
      ...spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: spec.containers.map((each) => ({
        ...each,
        env: [...(each.env ?? []), { name: 'JOB_COMPLETION_INDEX', value: String(index) }],
      })),
    }),
  });

  /** Failed pods are replaced after a wait that doubles. */
  const coolDownMs = ({ failed }: Progress): number => {
    if (failed.length === 0) return 0;
    const last = Math.max(
      ...failed.map((pod) =>
        Math.max(
          ...(pod.status.containerStatuses ?? []).map(
            (each) => Date.parse(each.state.terminated?.finishedAt ?? '') || 0,
          ),
          0,
        ),
      ),
    );
    const waitMs = Math.min(timings.backOffMs * 2 ** (failed.length - 1), timings.maxBackOffMs);
    return Math.max(0, last + waitMs - clock.now());
  };

  const expire = (job: Job): void => {
    const ttl = job.spec.ttlSecondsAfterFinished;
    if (ttl === undefined) return;
    const ended = job.status?.conditions?.find(
      (each) => each.type === 'Complete' || each.type === 'Failed',
    )?.lastTransitionTime;
    const dueMs = Date.parse(ended ?? '') + ttl * 1_000;
    if (clock.now() >= dueMs) removeQuietly(context, JOBS, job);
    else timers.set(`ttl ${keyOf(job)}`, dueMs - clock.now(), () => enqueue('jobs', keyOf(job)));
  };

  return {
    name: 'jobs',
    interestedIn: ownAndOwned(JOBS, PODS),
    reconcile: (key) => {
      const job = store.get<Job>(JOBS, ...splitKey(key));
      if (!job || job.metadata.deletionTimestamp !== undefined) return;
      if (isOver(job)) return expire(job);
      const progress = progressOf(podsOf(context, job));
      if (job.spec.suspend) {
        for (const pod of progress.active) removeQuietly(context, PODS, pod);
        return;
      }
      if (job.status?.startTime === undefined) {
        writer.putStatus(JOBS, job, { ...job.status, startTime: kubeTime(clock.now()) });
        return;
      }
      const failure = failureOf(job, progress);
      if (failure) return finish(job, 'Failed', failure, progress);
      const indexed = job.spec.completionMode === 'Indexed';
      const done = indexed ? new Set(progress.succeeded.map(indexOf)).size : progress.succeeded.length;
      const complete =
        job.spec.completions === undefined
          ? done > 0 && progress.active.length === 0
          : done >= job.spec.completions;
      if (complete) {
        return finish(
          job,
          'Complete',
          { reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' },
          progress,
        );
      }
      const waitMs = coolDownMs(progress);
      const refusal = waitMs > 0 ? null : launch(job, progress);
      if (waitMs > 0 || refusal !== null)
        timers.set(`retry ${key}`, Math.max(waitMs, refusal === null ? 0 : RETRY_MS), () =>
          enqueue('jobs', key),
        );
      const now = progressOf(podsOf(context, job));
      writer.putStatus(JOBS, job, { ...withoutActive(job), ...counts(job, now) });
    },
    everything: () => store.list(JOBS).map(keyOf),
  };
};
