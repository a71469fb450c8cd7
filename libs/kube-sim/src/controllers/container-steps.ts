import { type Container, type ContainerStatus, kubeTime, type Pod } from '../objects.ts';
import { environmentOf } from '../workload/environment.ts';
import { planOf } from '../workload/run-plan.ts';
import { type ControllerContext, keyOf, recordEvent } from './context.ts';
import { missingReference } from './references.ts';

/** A long run resets the count of failures, as the real kubelet's back-off does. */
const BACK_OFF_RESET_MS = 600_000;

/** What a kubelet remembers of a pod besides the stored status; lost with the process, and then everything is due. */
export type PodMemory = {
  uid: string;
  startDueMs: number;
  /** Times in the API are whole seconds; while the process lives it knows better. */
  startedAtMs: Map<string, number>;
  pullDueMs: Map<string, number>;
};

export type Subject = { pod: Pod; container: Container; policy: string; memory: PodMemory };
/** The next state of a container, and in how many milliseconds it has to be looked at again (null: never). */
export type Step = { status: ContainerStatus; againMs: number | null };

export const waitingStatus = (container: Container, reason: string): ContainerStatus => ({
  name: container.name,
  image: container.image,
  imageID: '',
  ready: false,
  started: false,
  restartCount: 0,
  state: { waiting: { reason } },
  lastState: {},
});

export const ended = (
  before: ContainerStatus,
  exitCode: number,
  finishedAtMs: number,
  reason?: string,
): ContainerStatus => ({
  ...before,
  ready: false,
  started: false,
  state: {
    terminated: {
      exitCode,
      reason: reason ?? (exitCode === 0 ? 'Completed' : 'Error'),
      startedAt: before.state.running!.startedAt,
      finishedAt: kubeTime(finishedAtMs),
      ...(before.containerID === undefined ? {} : { containerID: before.containerID }),
    },
  },
});

/** How one container goes on from the state it is in. */
export const containerSteps = (
  context: ControllerContext,
): ((subject: Subject, status: ContainerStatus) => Step) => {
  const { store, clock, timings, failingImages } = context;

  const happened = (pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void =>
    recordEvent(context, pod, { type, reason, message, component: 'kubelet' });

  const backOffMs = (failures: number): number =>
    Math.min(timings.backOffMs * 2 ** Math.max(0, failures - 1), timings.maxBackOffMs);

  const cannotPull = ({ pod, container }: Subject): boolean =>
    failingImages.some((pattern) => pattern.test(container.image)) ||
    pod.metadata.annotations?.['sim/waiting'] === 'ImagePullBackOff';

  const started = (
    { pod, container, memory }: Subject,
    before: ContainerStatus,
    restarts: number,
  ): ContainerStatus => {
    const nowMs = clock.now();
    memory.startedAtMs.set(container.name, nowMs);
    happened(pod, 'Normal', 'Started', `Started container ${container.name}`);
    return {
      ...before,
      imageID: `docker.io/library/${container.image}@sha256:${'0'.repeat(64)}`,
      containerID: `containerd://${pod.metadata.uid}-${container.name}-${restarts}`,
      ready: true,
      started: true,
      restartCount: restarts,
      state: { running: { startedAt: kubeTime(nowMs) } },
    };
  };

  const pullFailed = ({ pod, container, memory }: Subject, status: ContainerStatus): Step => {
    const dueMs = memory.pullDueMs.get(container.name) ?? 0;
    if (clock.now() < dueMs) return { status, againMs: dueMs - clock.now() };
    const first = status.state.waiting?.reason !== 'ErrImagePull';
    const againMs = first ? Math.min(500, timings.backOffMs) : timings.backOffMs;
    memory.pullDueMs.set(container.name, clock.now() + againMs);
    const failure = `failed to pull and unpack image "${container.image}": not found`;
    const backOff = `Back-off pulling image "${container.image}"`;
    if (first) happened(pod, 'Warning', 'Failed', `Failed to pull image "${container.image}": ${failure}`);
    else happened(pod, 'Normal', 'BackOff', backOff);
    const waiting = first
      ? { reason: 'ErrImagePull', message: failure }
      : { reason: 'ImagePullBackOff', message: `${backOff}: ErrImagePull: ${failure}` };
    return { status: { ...status, state: { waiting } }, againMs };
  };

  const fromWaiting = (subject: Subject, status: ContainerStatus): Step => {
    const { pod, container } = subject;
    if (cannotPull(subject)) return pullFailed(subject, status);
    const missing = missingReference(store, pod, container);
    if (missing !== null) {
      if (status.state.waiting!.message !== missing) happened(pod, 'Warning', 'Failed', `Error: ${missing}`);
      const waiting = { reason: 'CreateContainerConfigError', message: missing };
      return { status: { ...status, state: { waiting } }, againMs: 1_000 };
    }
    const message = `Container image "${container.image}" already present on machine`;
    if (status.restartCount === 0) happened(pod, 'Normal', 'Pulled', message);
    return step(subject, started(subject, status, status.restartCount));
  };

  const fromRunning = (subject: Subject, status: ContainerStatus): Step => {
    const { pod, container, memory } = subject;
    const plan = planOf(pod, container, environmentOf(store, pod, container));
    if (plan.endsAfterMs === null) return { status, againMs: null };
    const shownMs = Date.parse(status.state.running!.startedAt);
    const dueMs = (memory.startedAtMs.get(container.name) ?? shownMs) + plan.endsAfterMs;
    if (clock.now() < dueMs) return { status, againMs: dueMs - clock.now() };
    const reason = pod.metadata.annotations?.['sim/reason'];
    return step(subject, ended(status, plan.exitCode, Math.min(dueMs, clock.now()), reason));
  };

  const fromTerminated = (subject: Subject, status: ContainerStatus): Step => {
    const { pod, container, policy } = subject;
    const last = status.state.terminated!;
    if (policy === 'Never' || (policy === 'OnFailure' && last.exitCode === 0))
      return { status, againMs: null };
    const ranLong = Date.parse(last.finishedAt) - Date.parse(last.startedAt) >= BACK_OFF_RESET_MS;
    const kept: ContainerStatus = { ...status, lastState: { terminated: last } };
    if (status.restartCount === 0 || ranLong) {
      const again = started(subject, kept, status.restartCount + 1);
      return {
        status: again,
        againMs: planOf(pod, container, environmentOf(store, pod, container)).endsAfterMs,
      };
    }
    const ms = backOffMs(status.restartCount);
    const message = `back-off ${Math.round(ms / 1_000)}s restarting failed container=${container.name} pod=${keyOf(pod)}`;
    happened(
      pod,
      'Warning',
      'BackOff',
      `Back-off restarting failed container ${container.name} in pod ${pod.metadata.name}`,
    );
    return { status: { ...kept, state: { waiting: { reason: 'CrashLoopBackOff', message } } }, againMs: ms };
  };

  const fromCrashLoop = (subject: Subject, status: ContainerStatus): Step => {
    const dueMs = Date.parse(status.lastState.terminated!.finishedAt) + backOffMs(status.restartCount);
    if (clock.now() < dueMs) return { status, againMs: dueMs - clock.now() };
    return step(subject, started(subject, status, status.restartCount + 1));
  };

  const step = (subject: Subject, status: ContainerStatus): Step => {
    const { waiting, running } = status.state;
    if (waiting?.reason === 'CrashLoopBackOff') return fromCrashLoop(subject, status);
    if (waiting) return fromWaiting(subject, status);
    return running ? fromRunning(subject, status) : fromTerminated(subject, status);
  };
  return step;
};
