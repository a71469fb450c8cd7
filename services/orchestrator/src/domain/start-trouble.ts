import type { PodView, Trouble } from './evidence.ts';

const IMAGE_REASONS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'RegistryUnavailable',
  'ImageInspectError',
  'SignatureValidationFailed',
]);
const CONTAINER_REASONS = new Set([
  'CrashLoopBackOff',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'StartError',
  'ContainerCannotRun',
  'PreCreateHookError',
  'PostStartHookError',
]);

const MAX_MESSAGE = 500;
const say = (...parts: readonly string[]): string =>
  parts
    .filter((part) => part.length > 0)
    .join(': ')
    .replace(/\p{Cc}+/gu, ' ') // a database takes no NUL
    .slice(0, MAX_MESSAGE);

const lacksGpu = (message: string): boolean => /(nvidia|amd)\.com\/(gpu|mig)/i.test(message);

/** Why this pod does not count as running, by the reasons that kubelet and scheduler give; null when it may just need time. */
export const troubleOfPod = (pod: PodView): Trouble | null => {
  for (const { state, lastEnd } of pod.containers) {
    if (state.kind === 'waiting' && IMAGE_REASONS.has(state.reason)) {
      return { cause: 'image_pull', message: say(state.reason, state.message) };
    }
    if (state.kind === 'waiting' && CONTAINER_REASONS.has(state.reason)) {
      return { cause: 'crash_loop', message: say(state.reason, state.message) };
    }
    if (state.kind === 'running' && pod.containers.some(({ restartCount }) => restartCount > 0)) {
      return { cause: 'crash_loop', message: 'it crashed, and has been running again for a short time only' };
    }
    if (state.kind === 'terminated' && (CONTAINER_REASONS.has(state.reason) || lastEnd !== null)) {
      return { cause: 'crash_loop', message: say(state.reason, `exit code ${state.exitCode}`) };
    }
  }
  if (pod.phase === 'Failed') {
    const cause = lacksGpu(pod.message) ? 'no_gpu' : 'unschedulable';
    return { cause, message: say(pod.reason, pod.message) };
  }
  if (!pod.scheduled.done && pod.scheduled.reason === 'Unschedulable') {
    const cause = lacksGpu(pod.scheduled.message) ? 'no_gpu' : 'unschedulable';
    return { cause, message: say(pod.scheduled.message) };
  }
  return null;
};

/** What the cluster's events say when a controller cannot even create its pods. */
export const troubleOfClusterEvent = (reason: string, message: string): Trouble | null => {
  if (reason === 'FailedCreate') {
    if (/exceeded quota/i.test(message)) return { cause: 'quota', message: say(message) };
    if (/forbidden|invalid|violates/i.test(message)) return { cause: 'invalid_spec', message: say(message) };
  }
  if (reason === 'FailedScheduling') {
    return { cause: lacksGpu(message) ? 'no_gpu' : 'unschedulable', message: say(message) };
  }
  return null;
};

/** What a refused object means: `status` and `message` of the API server's answer. */
export const troubleOfRefusal = (status: number, message: string): Trouble =>
  status === 403 && /exceeded quota/i.test(message)
    ? { cause: 'quota', message: say(message) }
    : { cause: 'invalid_spec', message: say(`the cluster refused it with ${status}`, message) };
