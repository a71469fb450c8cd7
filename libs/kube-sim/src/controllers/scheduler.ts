import { isFinished, podAmounts } from '../admission/quota.ts';
import { selectorMatches } from '../api/selectors.ts';
import { NODES, PODS, storageName } from '../kinds.ts';
import {
  conditionOf,
  type Node,
  type NodeSelectorRequirement,
  type NodeSelectorTerm,
  type Pod,
  type Taint,
  type Toleration,
  withCondition,
} from '../objects.ts';
import { addAmounts, type Amounts, amountsOf } from '../quantity.ts';
import { type Controller, type ControllerContext, keyOf, recordEvent, splitKey } from './context.ts';

const requirementMet = (
  labels: Record<string, string>,
  { key, operator, values = [] }: NodeSelectorRequirement,
): boolean => {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
};

const termMet = (node: Node, { matchExpressions, matchFields }: NodeSelectorTerm): boolean => {
  if (!matchExpressions?.length && !matchFields?.length) return false;
  const fields = { 'metadata.name': node.metadata.name };
  return (
    (matchExpressions ?? []).every((each) => requirementMet(node.metadata.labels ?? {}, each)) &&
    (matchFields ?? []).every((each) => requirementMet(fields, each))
  );
};

export const toleratesTaint = (tolerations: readonly Toleration[] | undefined, taint: Taint): boolean =>
  (tolerations ?? []).some(
    ({ key, operator = 'Equal', value = '', effect }) =>
      (effect === undefined || effect === '' || effect === taint.effect) &&
      (key === undefined || key === '' ? operator === 'Exists' : key === taint.key) &&
      (operator === 'Exists' || value === (taint.value ?? '')),
  );

type Room = { node: Node; free: Amounts; total: Amounts; pods: Pod[] };

const rooms = (store: ControllerContext['store']): Room[] => {
  const byNode = new Map<string, Room>();
  for (const node of store.list<Node>(NODES)) {
    const total = amountsOf(node.status.allocatable);
    byNode.set(node.metadata.name, { node, free: new Map(total), total, pods: [] });
  }
  for (const pod of store.list<Pod>(PODS)) {
    const room = byNode.get(pod.spec.nodeName ?? '');
    if (!room || isFinished(pod)) continue;
    room.pods.push(pod);
    const taken = addAmounts(podAmounts(pod), new Map([['pods', 1]]));
    for (const [resource, amount] of taken) room.free.set(resource, (room.free.get(resource) ?? 0) - amount);
  }
  return [...byNode.values()];
};

const affinityMet = (pod: Pod, { pods, node }: Room): boolean => {
  const matches = (term: { labelSelector?: object; topologyKey: string }): boolean =>
    term.topologyKey === 'kubernetes.io/hostname' &&
    pods.some(
      (each) =>
        each.metadata.namespace === pod.metadata.namespace &&
        selectorMatches(term.labelSelector, each.metadata.labels),
    );
  const anti = pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  return node !== undefined && !anti.some(matches);
};

/** Why the pod does not fit there, in the scheduler's words; empty when it fits. */
const misfits = (pod: Pod, room: Room, wanted: Amounts): string[] => {
  const { node, free } = room;
  if (node.spec.unschedulable) return ['node(s) were unschedulable'];
  const taint = (node.spec.taints ?? []).find(
    (each) => each.effect !== 'PreferNoSchedule' && !toleratesTaint(pod.spec.tolerations, each),
  );
  if (taint) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`];
  const labels = node.metadata.labels ?? {};
  const selected = Object.entries(pod.spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
  const terms =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!selected || (terms && !terms.some((term) => termMet(node, term))))
    return ["node(s) didn't match Pod's node affinity/selector"];
  if (!affinityMet(pod, room)) return ["node(s) didn't match pod anti-affinity rules"];
  return [...wanted]
    .filter(([resource, amount]) => amount > 0 && (free.get(resource) ?? 0) < amount)
    .map(([resource]) => (resource === 'pods' ? 'Too many pods' : `Insufficient ${resource}`));
};

/** Fullest node first for what asks for GPUs, so that whole nodes stay whole; machines without GPUs first for the rest. */
const score = ({ free, total }: Room, wanted: Amounts): number => {
  const gpus = [...total].filter(([resource, amount]) => resource.includes('/') && amount > 0);
  const asksGpu = [...wanted.keys()].some((resource) => resource.includes('/'));
  if (!asksGpu)
    return (gpus.length === 0 ? 1_000 : 0) + (free.get('cpu') ?? 0) / Math.max(1, total.get('cpu') ?? 1);
  return -gpus.reduce((sum, [resource]) => sum + (free.get(resource) ?? 0), 0);
};

/** Binds pods to nodes that have room for them; those that fit nowhere wait, with a reason. */
export const scheduler = (context: ControllerContext): Controller => {
  const { store, writer, clock, timers, timings, enqueue } = context;

  const unschedulable = (pod: Pod, all: readonly Room[], wanted: Amounts): void => {
    const counts = new Map<string, number>();
    for (const room of all) {
      for (const reason of misfits(pod, room, wanted)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    const reasons = [...counts]
      .map(([reason, n]) => `${n} ${reason}`)
      .sort()
      .join(', ');
    const message =
      all.length === 0
        ? 'no nodes available to schedule pods'
        : `0/${all.length} nodes are available: ${reasons}.`;
    const known = conditionOf(pod.status.conditions, 'PodScheduled');
    if (known?.status === 'False' && known.message === message) return;
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message } as const;
    writer.putStatus(PODS, pod, {
      ...pod.status,
      conditions: withCondition(pod.status.conditions, condition, clock.now()),
    });
    recordEvent(context, pod, {
      type: 'Warning',
      reason: 'FailedScheduling',
      message,
      component: 'default-scheduler',
    });
  };

  const bind = (key: string): void => {
    const pod = store.get<Pod>(PODS, ...splitKey(key));
    if (!pod || pod.spec.nodeName || pod.metadata.deletionTimestamp || isFinished(pod)) return;
    const wanted = addAmounts(podAmounts(pod), new Map([['pods', 1]]));
    const all = rooms(store);
    const fitting = all.filter((room) => misfits(pod, room, wanted).length === 0);
    if (fitting.length === 0) return unschedulable(pod, all, wanted);
    const best = fitting.reduce((a, b) => (score(b, wanted) > score(a, wanted) ? b : a));
    const conditions = withCondition(
      pod.status.conditions,
      { type: 'PodScheduled', status: 'True' },
      clock.now(),
    );
    writer.put(PODS, {
      ...pod,
      spec: { ...pod.spec, nodeName: best.node.metadata.name },
      status: { ...pod.status, conditions },
    });
    const message = `Successfully assigned ${key} to ${best.node.metadata.name}`;
    recordEvent(context, pod, {
      type: 'Normal',
      reason: 'Scheduled',
      message,
      component: 'default-scheduler',
    });
  };

  const waiting = (): string[] =>
    store
      .list<Pod>(PODS)
      .filter((pod) => !pod.spec.nodeName && !isFinished(pod) && !pod.metadata.deletionTimestamp)
      .map(keyOf);

  return {
    name: 'scheduler',
    interestedIn: (resource, object) => {
      if (resource === storageName(NODES)) return ['*'];
      if (resource !== storageName(PODS)) return [];
      const pod = object as Pod;
      const gone = store.get(PODS, pod.metadata.namespace, pod.metadata.name) === undefined;
      if (gone || isFinished(pod)) return ['*'];
      return pod.spec.nodeName ? [] : [keyOf(pod)];
    },
    reconcile: (key) => {
      if (key === '*') {
        for (const each of waiting()) enqueue('scheduler', each);
        return;
      }
      if (!timers.has(`schedule ${key}`)) timers.set(`schedule ${key}`, timings.scheduleMs, () => bind(key));
    },
    everything: waiting,
  };
};
