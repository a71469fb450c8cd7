import { PODS, REPLICA_SETS } from '../kinds.ts';
import { type Condition, type ReplicaSet, withCondition } from '../objects.ts';
import {
  type Controller,
  type ControllerContext,
  keyOf,
  ownAndOwned,
  removeQuietly,
  splitKey,
} from './context.ts';
import { isActive, isReady, makePod, podsOf } from './owned-pods.ts';

const RETRY_MS = 1_000;

/** Keeps as many pods as a replica set wants. */
export const replicaSetController = (context: ControllerContext): Controller => {
  const { store, writer, clock, timers, enqueue } = context;
  return {
    name: 'replicasets',
    interestedIn: ownAndOwned(REPLICA_SETS, PODS),
    reconcile: (key) => {
      const set = store.get<ReplicaSet>(REPLICA_SETS, ...splitKey(key));
      if (!set || set.metadata.deletionTimestamp !== undefined) return;
      const wanted = set.spec.replicas ?? 1;
      let active = podsOf(context, set).filter(isActive);
      let refusal: string | null = null;
      for (let n = active.length; n < wanted && refusal === null; n += 1)
        refusal = makePod(context, set, set.spec.template);
      const surplus = active.length - wanted;
      if (surplus > 0) {
        const victims = [...active].sort((a, b) => Number(isReady(a)) - Number(isReady(b))).slice(0, surplus);
        for (const pod of victims) removeQuietly(context, PODS, pod);
      }
      if (refusal !== null) timers.set(`retry ${key}`, RETRY_MS, () => enqueue('replicasets', key));
      active = podsOf(context, set).filter(isActive);
      const ready = active.filter(isReady).length;
      const before = (set.status?.['conditions'] ?? []) as unknown as Condition[];
      const others = before.filter((each) => each.type !== 'ReplicaFailure');
      const failure: Condition = {
        type: 'ReplicaFailure',
        status: 'True',
        reason: 'FailedCreate',
        message: refusal ?? '',
      };
      const conditions = refusal === null ? others : withCondition(before, failure, clock.now());
      writer.putStatus(REPLICA_SETS, set, {
        replicas: active.length,
        fullyLabeledReplicas: active.length,
        readyReplicas: ready,
        availableReplicas: ready,
        observedGeneration: set.metadata.generation,
        ...(conditions.length > 0 ? { conditions } : {}),
      });
    },
    everything: () => store.list(REPLICA_SETS).map(keyOf),
  };
};
