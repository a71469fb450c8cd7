import { describe, expect, it } from '@jest/globals';
import {
  type ContainerView,
  type PodView,
  podsOfIncarnation,
  readEvidence,
  type WorkloadShape,
} from './evidence.ts';
import { troubleOfPod } from './start-trouble.ts';

const T = 1_700_000_000_000;
const service: WorkloadShape = { run: 'service', services: [{ name: 'web', replicas: 1 }] };
const job: WorkloadShape = { run: 'job', services: [{ name: 'web', replicas: 2 }] };

const up = (startedAtMs = T, restartCount = 0): ContainerView => ({
  state: { kind: 'running', startedAtMs },
  restartCount,
  lastEnd: null,
});
const ended = (exitCode: number, finishedAtMs: number | null, reason = 'Completed'): ContainerView => ({
  state: { kind: 'terminated', reason, exitCode, startedAtMs: T, finishedAtMs },
  restartCount: 0,
  lastEnd: null,
});
const waiting = (reason: string): ContainerView => ({
  state: { kind: 'waiting', reason, message: 'because' },
  restartCount: 0,
  lastEnd: null,
});

let uid = 0;
const pod = (change: Partial<PodView> = {}): PodView => ({
  name: `web-${(uid += 1)}`,
  namespace: 'gb-x',
  uid: `uid-${uid}`,
  service: 'web',
  phase: 'Running',
  reason: '',
  message: '',
  createdAtMs: T,
  deletedAtMs: null,
  scheduled: { done: true, reason: '', message: '' },
  ready: { is: true, sinceMs: T + 1_000 },
  containers: [up()],
  ...change,
});

const read = (shape: WorkloadShape, pods: PodView[], provenAtMs = T + 60_000) =>
  readEvidence(shape, pods, { provenAtMs, podTrouble: troubleOfPod });

describe('evidence of a service', () => {
  it('is healthy once every replica runs and is ready, since the last of them', () => {
    expect(read(service, [pod()])).toMatchObject({
      healthy: true,
      healthySinceMs: T + 1_000,
      running: 1,
      wanted: 1,
    });
    expect(read(service, []).healthy).toBe(false);
    expect(read(service, [pod({ ready: { is: false, sinceMs: T } })]).healthy).toBe(false);
    expect(read(service, [pod({ deletedAtMs: T })]).healthy).toBe(false);
  });

  it('does not count pods that have ended, nor more replicas than wanted', () => {
    const failed = pod({ phase: 'Failed', containers: [ended(1, T)] });
    expect(read(service, [failed, pod()])).toMatchObject({ healthy: true, running: 1 });
    expect(read(service, [pod(), pod()]).services).toEqual([{ name: 'web', replicas: 1, ready: 1 }]);
  });

  it('names the containers that run, so that a restart or a replacement shows', () => {
    const first = pod();
    const mark = (each: PodView): string => read(service, [each]).incarnation;
    expect(mark(first)).toBe(mark({ ...first }));
    expect(mark(first)).not.toBe(mark({ ...first, containers: [up(T, 1)] }));
    expect(mark(first)).not.toBe(mark({ ...first, uid: 'uid-other' }));
    expect(mark(first)).not.toBe(mark({ ...first, ready: { is: true, sinceMs: T + 9_000 } }));
    expect(podsOfIncarnation(mark(first))).toEqual([{ name: first.name, uid: first.uid }]);
  });

  it('believes in a container that crashed only after it has run for a while', () => {
    const again = pod({ containers: [up(T + 55_000, 1)] });
    expect(read(service, [again], T + 60_000)).toMatchObject({
      healthy: false,
      trouble: { cause: 'crash_loop' },
    });
    expect(read(service, [again], T + 65_000)).toMatchObject({ healthy: true, trouble: null });
  });

  it('tells when something stopped, and of which run', () => {
    const crashed = pod({
      containers: [{ ...up(T + 50_000, 1), lastEnd: { startedAtMs: T, finishedAtMs: T + 40_000 } }],
    });
    expect(read(service, [crashed]).breaks).toEqual([{ pod: crashed.uid, atMs: T + 40_000, startedAtMs: T }]);
  });

  it.each([
    ['image_pull', pod({ phase: 'Pending', containers: [waiting('ImagePullBackOff')] })],
    ['crash_loop', pod({ containers: [waiting('CrashLoopBackOff')] })],
    [
      'no_gpu',
      pod({
        phase: 'Pending',
        containers: [],
        scheduled: {
          done: false,
          reason: 'Unschedulable',
          message: '0/1 nodes: 1 Insufficient nvidia.com/gpu',
        },
      }),
    ],
    [
      'unschedulable',
      pod({
        phase: 'Pending',
        containers: [],
        scheduled: { done: false, reason: 'Unschedulable', message: '0/1 nodes: 1 Insufficient cpu' },
      }),
    ],
  ])('says what keeps it from running: %s', (cause, each) => {
    expect(read(service, [each])).toMatchObject({ healthy: false, trouble: { cause } });
  });
});

describe('evidence of a job', () => {
  it('is healthy while some run and the others have succeeded', () => {
    const done = pod({
      phase: 'Succeeded',
      containers: [ended(0, T + 5_000)],
      ready: { is: false, sinceMs: T + 5_000 },
    });
    const live = pod();
    const evidence = read(job, [done, live]);
    expect(evidence).toMatchObject({ healthy: true, running: 1, exit: null });
    expect(evidence.incarnation).toBe(read(job, [live, done]).incarnation);
  });

  it('keeps its incarnation when a pod comes to its end', () => {
    const [a, b] = [pod(), pod()];
    const done: PodView = { ...a, phase: 'Succeeded', containers: [ended(0, T + 5_000)] };
    expect(read(job, [a, b]).incarnation).toBe(read(job, [done, b]).incarnation);
  });

  it('has come to its end when all have, with the first exit code that is not zero', () => {
    const done = pod({ phase: 'Succeeded', containers: [ended(0, T + 5_000)] });
    const failed = pod({ phase: 'Failed', containers: [ended(3, T + 9_000, 'Error')] });
    expect(read(job, [done, failed])).toMatchObject({
      healthy: false,
      exit: { exitCode: 3, startedAtMs: T, finishedAtMs: T + 9_000 },
    });
  });

  it('has not run when its program could not even be started', () => {
    const never = pod({ phase: 'Failed', containers: [ended(128, null, 'StartError')] });
    expect(read({ ...job, services: [{ name: 'web', replicas: 1 }] }, [never])).toMatchObject({
      exit: null,
      trouble: { cause: 'crash_loop' },
    });
  });
});
