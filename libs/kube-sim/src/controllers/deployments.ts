import { DEPLOYMENTS, REPLICA_SETS } from '../kinds.ts';
import {
  type Condition,
  controllerOf,
  type Deployment,
  ownerReferenceTo,
  type Quantity,
  type ReplicaSet,
  withCondition,
} from '../objects.ts';
import {
  type Controller,
  type ControllerContext,
  keyOf,
  ownAndOwned,
  recordEvent,
  removeQuietly,
  splitKey,
} from './context.ts';
import { templateHash } from './owned-pods.ts';

const count = (set: ReplicaSet, field: string): number => Number(set.status?.[field] ?? 0);
const sum = (sets: readonly ReplicaSet[], field: string): number =>
  sets.reduce((total, set) => total + count(set, field), 0);
const desired = (set: ReplicaSet): number => set.spec.replicas ?? 1;

const resolve = (value: Quantity | undefined, of: number, round: (n: number) => number): number => {
  if (typeof value === 'string' && value.endsWith('%')) return round((Number(value.slice(0, -1)) / 100) * of);
  return Number(value ?? 0);
};

/** Rolls replica sets so that the newest template runs, within maxSurge and maxUnavailable. */
export const deploymentController = (context: ControllerContext): Controller => {
  const { store, writer, clock, timers, enqueue } = context;

  const setsOf = (deployment: Deployment): ReplicaSet[] =>
    store
      .list<ReplicaSet>(REPLICA_SETS, deployment.metadata.namespace)
      .filter((set) => controllerOf(set)?.uid === deployment.metadata.uid);

  const scale = (deployment: Deployment, set: ReplicaSet, replicas: number): void => {
    if (desired(set) === replicas) return;
    const verb = replicas > desired(set) ? 'up' : 'down';
    const message = `Scaled ${verb} replica set ${set.metadata.name} from ${desired(set)} to ${replicas}`;
    writer.put(REPLICA_SETS, {
      ...set,
      metadata: { ...set.metadata, generation: (set.metadata.generation ?? 0) + 1 },
      spec: { ...set.spec, replicas },
    });
    recordEvent(context, deployment, {
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      message,
      component: 'deployment-controller',
    });
  };

  const newest = (deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet => {
    const hash = templateHash(deployment.spec.template);
    const known = sets.find((set) => set.metadata.labels?.['pod-template-hash'] === hash);
    if (known) return known;
    const { template } = deployment.spec;
    const labels = { ...template.metadata?.labels, 'pod-template-hash': hash };
    const revision = String(sets.length + 1);
    return writer.create<ReplicaSet>(REPLICA_SETS, deployment.metadata.namespace, {
      metadata: {
        name: `${deployment.metadata.name}-${hash}`,
        labels,
        annotations: { 'deployment.kubernetes.io/revision': revision },
        ownerReferences: [ownerReferenceTo(deployment)],
      },
      spec: {
        replicas: 0,
        selector: {
          ...deployment.spec.selector,
          matchLabels: { ...deployment.spec.selector.matchLabels, 'pod-template-hash': hash },
        },
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
    });
  };

  const roll = (deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): void => {
    const wanted = deployment.spec.replicas ?? 1;
    const { type, rollingUpdate } = deployment.spec.strategy ?? {};
    const running = old.filter((set) => desired(set) > 0 || count(set, 'replicas') > 0);
    if (running.length === 0) return scale(deployment, current, wanted);
    if (type === 'Recreate') {
      for (const set of running) scale(deployment, set, 0);
      return;
    }
    const surge = resolve(rollingUpdate?.maxSurge ?? '25%', wanted, Math.ceil);
    const down = resolve(rollingUpdate?.maxUnavailable ?? '25%', wanted, Math.floor);
    const unavailable = surge === 0 && down === 0 ? 1 : down;
    const total = desired(current) + running.reduce((n, set) => n + desired(set), 0);
    const room = wanted + surge - total;
    if (desired(current) < wanted && room > 0)
      scale(deployment, current, Math.min(wanted, desired(current) + room));
    else if (desired(current) > wanted) scale(deployment, current, wanted);
    let spare = sum([current, ...running], 'availableReplicas') - (wanted - unavailable);
    for (const set of running) {
      const cut = Math.min(
        desired(set),
        Math.max(0, spare) + (desired(set) - count(set, 'availableReplicas')),
      );
      if (cut <= 0) continue;
      spare -= cut;
      scale(deployment, set, desired(set) - cut);
    }
  };

  const conditionsOf = (deployment: Deployment, current: ReplicaSet, available: number): Condition[] => {
    const wanted = deployment.spec.replicas ?? 1;
    const nowMs = clock.now();
    const unavailable = resolve(
      deployment.spec.strategy?.rollingUpdate?.maxUnavailable ?? '25%',
      wanted,
      Math.floor,
    );
    const enough = available >= wanted - unavailable;
    let conditions = withCondition(
      deployment.status?.conditions,
      enough
        ? {
            type: 'Available',
            status: 'True',
            reason: 'MinimumReplicasAvailable',
            message: 'Deployment has minimum availability.',
          }
        : {
            type: 'Available',
            status: 'False',
            reason: 'MinimumReplicasUnavailable',
            message: 'Deployment does not have minimum availability.',
          },
      nowMs,
    );
    const complete = count(current, 'availableReplicas') >= wanted;
    const limitMs = (deployment.spec.progressDeadlineSeconds ?? 600) * 1_000;
    const sinceMs = Date.parse(current.metadata.creationTimestamp);
    const late = !complete && nowMs - sinceMs >= limitMs;
    if (!complete && !late)
      timers.set(`progress ${keyOf(deployment)}`, sinceMs + limitMs - nowMs, () =>
        enqueue('deployments', keyOf(deployment)),
      );
    conditions = withCondition(
      conditions,
      late
        ? {
            type: 'Progressing',
            status: 'False',
            reason: 'ProgressDeadlineExceeded',
            message: `ReplicaSet "${current.metadata.name}" has timed out progressing.`,
          }
        : {
            type: 'Progressing',
            status: 'True',
            reason: complete ? 'NewReplicaSetAvailable' : 'ReplicaSetUpdated',
            message: `ReplicaSet "${current.metadata.name}" ${complete ? 'has successfully progressed' : 'is progressing'}.`,
          },
      nowMs,
    );
    const failure = (current.status?.['conditions'] as unknown as Condition[] | undefined)?.find(
      (each) => each.type === 'ReplicaFailure',
    );
    const others = conditions.filter((each) => each.type !== 'ReplicaFailure');
    return failure ? [...others, failure] : others;
  };

  return {
    name: 'deployments',
    interestedIn: ownAndOwned(DEPLOYMENTS, REPLICA_SETS),
    reconcile: (key) => {
      const deployment = store.get<Deployment>(DEPLOYMENTS, ...splitKey(key));
      if (!deployment || deployment.metadata.deletionTimestamp !== undefined) return;
      const current = newest(deployment, setsOf(deployment));
      const old = setsOf(deployment).filter((set) => set.metadata.uid !== current.metadata.uid);
      if (!deployment.spec.paused) roll(deployment, current, old);
      const idle = old.filter((set) => desired(set) === 0 && count(set, 'replicas') === 0);
      for (const set of idle.slice(
        0,
        Math.max(0, idle.length - (deployment.spec.revisionHistoryLimit ?? 10)),
      ))
        removeQuietly(context, REPLICA_SETS, set);
      const sets = setsOf(deployment);
      const now = sets.find((set) => set.metadata.uid === current.metadata.uid)!;
      const available = sum(sets, 'availableReplicas');
      const wanted = deployment.spec.replicas ?? 1;
      writer.putStatus(DEPLOYMENTS, deployment, {
        observedGeneration: deployment.metadata.generation,
        replicas: sum(sets, 'replicas'),
        updatedReplicas: count(now, 'replicas'),
        readyReplicas: sum(sets, 'readyReplicas'),
        availableReplicas: available,
        unavailableReplicas: Math.max(0, wanted - available),
        conditions: conditionsOf(deployment, now, available),
      });
    },
    everything: () => store.list(DEPLOYMENTS).map(keyOf),
  };
};
