import { CLAIMS, NODES, PODS, storageName } from '../kinds.ts';
import { isFinished } from '../admission/quota.ts';
import {
  type Condition,
  type Container,
  type ContainerStatus,
  kubeTime,
  type Node,
  type Pod,
  type PodStatus,
  withCondition,
} from '../objects.ts';
import { parseDurationMs } from '../workload/run-plan.ts';
import { containerSteps, ended, type PodMemory, waitingStatus } from './container-steps.ts';
import {
  type Controller,
  type ControllerContext,
  keyOf,
  recordEvent,
  removeQuietly,
  splitKey,
} from './context.ts';
import { isLost } from './nodes.ts';
import { missingVolume } from './references.ts';

type Lists = 'containerStatuses' | 'initContainerStatuses';

/**
 * The kubelets of all nodes: walk pods through their states at a set speed and keep running what should run. Every
 * step is decided by the stored status alone, so that a restarted process goes on where it was.
 */
export const kubelet = (context: ControllerContext): Controller => {
  const { store, writer, clock, random, timers, timings } = context;
  const memory = new Map<string, PodMemory>();
  const step = containerSteps(context);

  const memoryOf = (pod: Pod): PodMemory => {
    const known = memory.get(keyOf(pod));
    if (known?.uid === pod.metadata.uid) return known;
    const made: PodMemory = {
      uid: pod.metadata.uid,
      startDueMs: 0,
      startedAtMs: new Map(),
      pullDueMs: new Map(),
    };
    memory.set(keyOf(pod), made);
    return made;
  };

  const podOf = (key: string): Pod | undefined => store.get<Pod>(PODS, ...splitKey(key));
  const startDelayMs = (pod: Pod): number => {
    const asked = parseDurationMs(pod.metadata.annotations?.['sim/start-delay'] ?? '');
    if (Number.isFinite(asked)) return asked;
    return timings.startMinMs + random.next() * (timings.startMaxMs - timings.startMinMs);
  };
  const later = (pod: Pod, delayMs: number): void =>
    timers.set(`kubelet ${keyOf(pod)}`, delayMs, () => context.enqueue('kubelet', keyOf(pod)));
  const happened = (pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void =>
    recordEvent(context, pod, { type, reason, message, component: 'kubelet' });

  const phaseOf = (
    pod: Pod,
    containers: readonly ContainerStatus[],
    initDone: boolean,
  ): PodStatus['phase'] => {
    const policy = pod.spec.restartPolicy ?? 'Always';
    if (!initDone) return 'Pending';
    const over = containers.every(({ state }) => state.terminated);
    if (over && policy !== 'Always') {
      const failed = containers.some(({ state }) => state.terminated!.exitCode !== 0);
      return failed ? 'Failed' : 'Succeeded';
    }
    return containers.some(
      ({ state, lastState }) => state.running || state.terminated || lastState.terminated,
    )
      ? 'Running'
      : 'Pending';
  };

  const walk = (
    pod: Pod,
    list: Lists,
    containers: readonly Container[],
    policy: string,
  ): { statuses: ContainerStatus[]; againMs: number | null } => {
    let againMs: number | null = null;
    const before =
      pod.status[list] ??
      containers.map((container) =>
        waitingStatus(container, list === 'initContainerStatuses' ? 'PodInitializing' : 'ContainerCreating'),
      );
    let blocked = false;
    const statuses = containers.map((container, i) => {
      if (blocked) return before[i]!;
      const next = step({ pod, container, policy, memory: memoryOf(pod) }, before[i]!);
      if (next.againMs !== null) againMs = Math.min(againMs ?? Infinity, next.againMs);
      if (list === 'initContainerStatuses') blocked = next.status.state.terminated?.exitCode !== 0;
      return next.status;
    });
    return { statuses, againMs };
  };

  const advance = (pod: Pod): void => {
    const initContainers = pod.spec.initContainers ?? [];
    const policy = pod.spec.restartPolicy ?? 'Always';
    const init = walk(
      pod,
      'initContainerStatuses',
      initContainers,
      policy === 'Always' ? 'OnFailure' : policy,
    );
    const initDone = init.statuses.every(({ state }) => state.terminated?.exitCode === 0);
    const initFailed =
      policy === 'Never' && init.statuses.some(({ state }) => (state.terminated?.exitCode ?? 0) !== 0);
    const main = initDone
      ? walk(pod, 'containerStatuses', pod.spec.containers, policy)
      : { statuses: pod.status.containerStatuses!, againMs: null };
    const phase = initFailed ? 'Failed' : phaseOf(pod, main.statuses, initDone);
    const finished = phase === 'Succeeded' || phase === 'Failed';
    const ready = initDone && !finished && main.statuses.every((each) => each.ready);
    const unready: Partial<Condition> = { reason: finished ? 'PodCompleted' : 'ContainersNotReady' };
    const nowMs = clock.now();
    let { conditions } = pod.status;
    for (const [type, on] of [
      ['Initialized', initDone],
      ['ContainersReady', ready],
      ['Ready', ready],
    ] as const) {
      conditions = withCondition(
        conditions,
        { type, status: on ? 'True' : 'False', ...(on ? {} : unready) },
        nowMs,
      );
    }
    const ip = pod.status.podIP ?? podIp(pod);
    writer.putStatus(PODS, pod, {
      ...pod.status,
      phase,
      conditions,
      ...(initContainers.length > 0 ? { initContainerStatuses: init.statuses } : {}),
      containerStatuses: main.statuses,
      ...(phase === 'Pending' ? {} : { podIP: ip, podIPs: [{ ip }] }),
    });
    const again = [init.againMs, main.againMs].filter((each) => each !== null);
    if (!finished && again.length > 0) later(pod, Math.min(...again));
  };

  let addresses = 1;
  const podIp = (pod: Pod): string => {
    const used = new Set(store.list<Pod>(PODS).map((each) => each.status.podIP));
    for (;;) {
      addresses = (addresses % 65_000) + 1;
      const ip = `10.244.${Math.floor(addresses / 250)}.${(addresses % 250) + 2}`;
      if (!used.has(ip) || pod.status.podIP === ip) return ip;
    }
  };

  const create = (pod: Pod, node: Node): void => {
    const hostIP = node.status.addresses?.find(({ type }) => type === 'InternalIP')?.address;
    const nowMs = clock.now();
    let conditions = withCondition(
      pod.status.conditions,
      { type: 'PodReadyToStartContainers', status: 'True' },
      nowMs,
    );
    for (const type of ['ContainersReady', 'Ready']) {
      conditions = withCondition(conditions, { type, status: 'False', reason: 'ContainersNotReady' }, nowMs);
    }
    memoryOf(pod).startDueMs = nowMs + startDelayMs(pod);
    writer.putStatus(PODS, pod, {
      ...pod.status,
      conditions,
      startTime: kubeTime(nowMs),
      ...(hostIP === undefined ? {} : { hostIP, hostIPs: [{ ip: hostIP }] }),
      containerStatuses: pod.spec.containers.map((each) =>
        waitingStatus(each, pod.spec.initContainers?.length ? 'PodInitializing' : 'ContainerCreating'),
      ),
      ...(pod.spec.initContainers?.length
        ? {
            initContainerStatuses: pod.spec.initContainers.map((each) =>
              waitingStatus(each, 'PodInitializing'),
            ),
          }
        : {}),
    });
  };

  /** Ends what runs and gives the pod back. */
  const stop = (pod: Pod): void => {
    const name = `stop ${keyOf(pod)}`;
    if (timers.has(name)) return;
    const asked = parseDurationMs(pod.metadata.annotations?.['sim/stop-delay'] ?? '');
    const graceMs = (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1_000;
    const delayMs = Math.min(Number.isFinite(asked) ? asked : timings.stopMs, graceMs);
    happened(pod, 'Normal', 'Killing', `Stopping container ${pod.spec.containers[0]!.name}`);
    timers.set(name, delayMs, () => {
      const current = podOf(keyOf(pod));
      if (!current || current.metadata.uid !== pod.metadata.uid) return;
      const nowMs = clock.now();
      const node = store.get<Node>(NODES, undefined, current.spec.nodeName ?? '');
      if (node && isLost(node)) return;
      const statuses = current.status.containerStatuses?.map((each) =>
        each.state.running ? ended(each, 137, nowMs) : each,
      );
      let { conditions } = current.status;
      for (const type of ['ContainersReady', 'Ready']) {
        conditions = withCondition(conditions, { type, status: 'False', reason: 'PodFailed' }, nowMs);
      }
      const stopped = writer.putStatus(PODS, current, {
        ...current.status,
        conditions,
        phase: isFinished(current) ? current.status.phase : 'Failed',
        ...(statuses ? { containerStatuses: statuses } : {}),
      });
      removeQuietly(context, PODS, stopped, 0);
    });
  };

  return {
    name: 'kubelet',
    interestedIn: (resource, object) => {
      if (resource === storageName(PODS)) return (object as Pod).spec.nodeName ? [keyOf(object)] : [];
      if (resource === storageName(NODES)) return [`node/${object.metadata.name}`];
      if (resource === storageName(CLAIMS)) return [`volumes/${object.metadata.namespace}`];
      return [];
    },
    reconcile: (key) => {
      const [namespace, name] = splitKey(key);
      if (namespace === 'node' || namespace === 'volumes') {
        const concerned = namespace === 'node' ? store.list<Pod>(PODS) : store.list<Pod>(PODS, name);
        for (const pod of concerned) {
          const mine = namespace === 'volumes' ? pod.status.phase === 'Pending' : pod.spec.nodeName === name;
          if (pod.spec.nodeName && mine) context.enqueue('kubelet', keyOf(pod));
        }
        return;
      }
      const pod = podOf(key);
      if (!pod) memory.delete(key);
      if (!pod?.spec.nodeName) return;
      const node = store.get<Node>(NODES, undefined, pod.spec.nodeName);
      if (!node) return removeQuietly(context, PODS, pod, 0);
      if (isLost(node)) return;
      if (pod.metadata.deletionTimestamp !== undefined) return stop(pod);
      if (isFinished(pod)) return;
      if (pod.status.startTime === undefined) return create(pod, node);
      const { startDueMs } = memoryOf(pod);
      if (clock.now() < startDueMs) return later(pod, startDueMs - clock.now());
      const unmountable = pod.status.phase === 'Pending' ? missingVolume(store, pod) : null;
      if (unmountable !== null) {
        happened(pod, 'Warning', 'FailedMount', `MountVolume.SetUp failed: ${unmountable}`);
        return later(pod, 1_000);
      }
      advance(pod);
    },
    everything: () =>
      store
        .list<Pod>(PODS)
        .filter((pod) => pod.spec.nodeName)
        .map(keyOf),
  };
};
