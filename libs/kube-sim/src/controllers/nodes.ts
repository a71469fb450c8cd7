import { NODES, PODS, storageName } from '../kinds.ts';
import {
  conditionOf,
  type Condition,
  kubeTime,
  type Node,
  type Pod,
  type Taint,
  withCondition,
} from '../objects.ts';
import { type Controller, type ControllerContext, recordEvent, removeQuietly } from './context.ts';
import { isFinished } from '../admission/quota.ts';

/** On a node: its machine is gone, nobody there hears or says anything. */
export const LOST = 'sim/lost';
/** On a node: its kubelet runs and says that it is not ready. */
export const NOT_READY = 'sim/not-ready';

export const isLost = (node: Node): boolean => node.metadata.annotations?.[LOST] !== undefined;

const UNREACHABLE = 'node.kubernetes.io/unreachable';
const UNREADY = 'node.kubernetes.io/not-ready';

const taintsFor = (node: Node, key: string | null, nowMs: number): Taint[] => {
  const others = (node.spec.taints ?? []).filter(
    (taint) => taint.key !== UNREACHABLE && taint.key !== UNREADY,
  );
  if (key === null) return others;
  const kept = (node.spec.taints ?? []).filter((taint) => taint.key === key);
  if (kept.length > 0) return [...others, ...kept];
  return [...others, { key, effect: 'NoSchedule' }, { key, effect: 'NoExecute', timeAdded: kubeTime(nowMs) }];
};

/** Node conditions, taints, and the eviction of pods from nodes that stay away. */
export const nodeController = (context: ControllerContext): Controller => {
  const { store, writer, clock, timers, timings, enqueue } = context;

  const settle = (node: Node, ready: Condition, taint: string | null): void => {
    const nowMs = clock.now();
    const before = conditionOf(node.status.conditions, 'Ready');
    const spec = { ...node.spec, taints: taintsFor(node, taint, nowMs) };
    if (spec.taints.length === 0) delete (spec as { taints?: Taint[] }).taints;
    const conditions = withCondition(node.status.conditions, ready, nowMs);
    const settled = { ...node, spec, status: { ...node.status, conditions } };
    if (JSON.stringify(settled) === JSON.stringify(node)) return;
    writer.put(NODES, settled);
    if (before?.status === ready.status) return;
    const reason = ready.status === 'True' ? 'NodeReady' : 'NodeNotReady';
    recordEvent(context, node, {
      type: 'Normal',
      reason,
      message: `Node ${node.metadata.name} status is now: ${reason}`,
      component: 'node-controller',
    });
    if (ready.status !== 'True') unreadyPods(node);
  };

  const unreadyPods = (node: Node): void => {
    for (const pod of store.list<Pod>(PODS)) {
      if (pod.spec.nodeName !== node.metadata.name || isFinished(pod)) continue;
      const conditions = withCondition(
        pod.status.conditions,
        { type: 'Ready', status: 'False', reason: 'NodeNotReady' },
        clock.now(),
      );
      writer.putStatus(PODS, pod, { ...pod.status, conditions });
    }
  };

  /** Pods leave a node with a NoExecute taint after the time they tolerate it. */
  const evict = (node: Node): void => {
    const taint = node.spec.taints?.find(
      (each) => each.effect === 'NoExecute' && each.timeAdded !== undefined,
    );
    if (!taint) return;
    const sinceMs = Date.parse(taint.timeAdded!);
    let nextMs = Infinity;
    for (const pod of store.list<Pod>(PODS)) {
      if (pod.spec.nodeName !== node.metadata.name || pod.metadata.deletionTimestamp || isFinished(pod))
        continue;
      const tolerated = (pod.spec.tolerations ?? []).filter(
        (each) => each.key === undefined || each.key === taint.key,
      );
      if (tolerated.some((each) => each.tolerationSeconds === undefined)) continue;
      const seconds = Math.min(Infinity, ...tolerated.map((each) => each.tolerationSeconds!));
      const dueMs = sinceMs + (Number.isFinite(seconds) ? seconds * 1_000 : 0);
      if (clock.now() >= dueMs) removeQuietly(context, PODS, pod);
      else nextMs = Math.min(nextMs, dueMs);
    }
    if (nextMs < Infinity)
      timers.set(`evict ${node.metadata.name}`, nextMs - clock.now(), () =>
        enqueue('nodes', `/${node.metadata.name}`),
      );
  };

  return {
    name: 'nodes',
    interestedIn: (resource, object) => (resource === storageName(NODES) ? [`/${object.metadata.name}`] : []),
    reconcile: (key) => {
      const node = store.get<Node>(NODES, undefined, key.slice(1));
      if (!node) return;
      const timer = `lost ${key}`;
      if (isLost(node)) {
        const known = conditionOf(node.status.conditions, 'Ready')?.status === 'Unknown';
        if (!known && !timers.has(timer)) {
          timers.set(timer, timings.nodeLostMs, () => {
            const current = store.get<Node>(NODES, undefined, key.slice(1));
            if (!current || !isLost(current)) return;
            settle(
              current,
              {
                type: 'Ready',
                status: 'Unknown',
                reason: 'NodeStatusUnknown',
                message: 'Kubelet stopped posting node status.',
              },
              UNREACHABLE,
            );
          });
        }
        return evict(node);
      }
      timers.cancel(timer);
      if (node.metadata.annotations?.[NOT_READY] !== undefined) {
        settle(
          node,
          { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: 'simulated' },
          UNREADY,
        );
        return evict(store.get<Node>(NODES, undefined, key.slice(1))!);
      }
      settle(
        node,
        { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' },
        null,
      );
    },
    everything: () => store.list(NODES).map((node) => `/${node.metadata.name}`),
  };
};
