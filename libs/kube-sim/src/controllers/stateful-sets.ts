import { isFinished } from '../admission/quota.ts';
import { CLAIMS, PODS, STATEFUL_SETS } from '../kinds.ts';
import { ownerReferenceTo, type Pod, type StatefulSet } from '../objects.ts';
import { ApiError } from '../api/status.ts';
import {
  type Controller,
  type ControllerContext,
  keyOf,
  ownAndOwned,
  recordEvent,
  removeQuietly,
  splitKey,
} from './context.ts';
import { isReady, makePod, podsOf, templateHash } from './owned-pods.ts';

const RETRY_MS = 1_000;
const REVISION = 'controller-revision-hash';

/** Pods with names and volumes that stay: one after the other, or all at once. */
export const statefulSetController = (context: ControllerContext): Controller => {
  const { store, writer, timers, enqueue } = context;

  const claim = (set: StatefulSet, pod: string): string | null => {
    const keep = set.spec.persistentVolumeClaimRetentionPolicy?.whenDeleted !== 'Delete';
    for (const template of set.spec.volumeClaimTemplates ?? []) {
      const name = `${template.metadata.name}-${pod}`;
      if (store.get(CLAIMS, set.metadata.namespace, name)) continue;
      try {
        writer.create(CLAIMS, set.metadata.namespace, {
          metadata: {
            ...template.metadata,
            name,
            labels: { ...set.spec.selector.matchLabels, ...template.metadata.labels },
            ...(keep ? {} : { ownerReferences: [ownerReferenceTo(set)] }),
          },
          spec: template.spec,
        });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        const message = `create Claim ${name} for Pod ${pod} failed: ${error.message}`;
        recordEvent(context, set, {
          type: 'Warning',
          reason: 'FailedCreate',
          message,
          component: 'statefulset-controller',
        });
        return message;
      }
    }
    return null;
  };

  const make = (set: StatefulSet, name: string, ordinal: number, revision: string): string | null => {
    const refusal = claim(set, name);
    if (refusal !== null) return refusal;
    const volumes = (set.spec.volumeClaimTemplates ?? []).map(({ metadata }) => ({
      name: metadata.name,
      persistentVolumeClaim: { claimName: `${metadata.name}-${name}` },
    }));
    const labels = {
      'apps.kubernetes.io/pod-index': String(ordinal),
      'statefulset.kubernetes.io/pod-name': name,
      [REVISION]: revision,
    };
    return makePod(context, set, set.spec.template, {
      name,
      labels,
      patch: (spec) => ({
        ...spec,
        hostname: name,
        ...(set.spec.serviceName ? { subdomain: set.spec.serviceName } : {}),
        volumes: [...(spec.volumes ?? []), ...volumes],
      }),
    });
  };

  const step = (set: StatefulSet, revision: string): string | null => {
    const wanted = set.spec.replicas ?? 1;
    const parallel = set.spec.podManagementPolicy === 'Parallel';
    const pods = new Map(podsOf(context, set).map((pod) => [pod.metadata.name, pod]));
    for (let ordinal = 0; ordinal < wanted; ordinal += 1) {
      const name = `${set.metadata.name}-${ordinal}`;
      const pod = pods.get(name);
      if (pod && isFinished(pod)) {
        removeQuietly(context, PODS, pod, 0);
        return null;
      }
      if (!pod) {
        const refusal = make(set, name, ordinal, revision);
        if (refusal !== null) return refusal;
      }
      if (!parallel && (!pod || !isReady(pod) || pod.metadata.deletionTimestamp !== undefined)) return null;
    }
    const ordinalOf = (pod: Pod): number => Number(pod.metadata.name.slice(set.metadata.name.length + 1));
    const surplus = [...pods.values()]
      .filter((pod) => ordinalOf(pod) >= wanted)
      .sort((a, b) => ordinalOf(b) - ordinalOf(a));
    for (const pod of parallel ? surplus : surplus.slice(0, 1)) removeQuietly(context, PODS, pod);
    const outdated = [...pods.values()]
      .filter(
        (pod) => pod.metadata.labels?.[REVISION] !== revision && pod.metadata.deletionTimestamp === undefined,
      )
      .sort((a, b) => ordinalOf(b) - ordinalOf(a));
    if (surplus.length === 0 && set.spec.updateStrategy?.type !== 'OnDelete' && outdated[0])
      removeQuietly(context, PODS, outdated[0]);
    return null;
  };

  return {
    name: 'statefulsets',
    interestedIn: ownAndOwned(STATEFUL_SETS, PODS),
    reconcile: (key) => {
      const set = store.get<StatefulSet>(STATEFUL_SETS, ...splitKey(key));
      if (!set || set.metadata.deletionTimestamp !== undefined) return;
      const revision = `${set.metadata.name}-${templateHash(set.spec.template)}`;
      const refusal = step(set, revision);
      if (refusal !== null) timers.set(`retry ${key}`, RETRY_MS, () => enqueue('statefulsets', key));
      const pods = podsOf(context, set);
      const ready = pods.filter(isReady).length;
      const updated = pods.filter((pod) => pod.metadata.labels?.[REVISION] === revision).length;
      writer.putStatus(STATEFUL_SETS, set, {
        observedGeneration: set.metadata.generation,
        replicas: pods.length,
        readyReplicas: ready,
        availableReplicas: ready,
        currentReplicas: updated,
        updatedReplicas: updated,
        currentRevision: revision,
        updateRevision: revision,
        collisionCount: 0,
      });
    },
    everything: () => store.list(STATEFUL_SETS).map(keyOf),
  };
};
