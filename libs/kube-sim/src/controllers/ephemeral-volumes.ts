import { isFinished } from '../admission/quota.ts';
import { ApiError } from '../api/status.ts';
import { CLAIMS, PODS, storageName } from '../kinds.ts';
import { ownerReferenceTo, type Pod } from '../objects.ts';
import { type Controller, type ControllerContext, keyOf, recordEvent, splitKey } from './context.ts';
import { claimNameOf } from './references.ts';

const RETRY_MS = 1_000;

/** Makes the claims of pods whose volumes live as long as they do. */
export const ephemeralVolumeController = (context: ControllerContext): Controller => {
  const { store, writer, timers, enqueue } = context;
  const hasSome = (pod: Pod): boolean => pod.spec.volumes?.some((volume) => volume.ephemeral) ?? false;

  return {
    name: 'ephemeral-volumes',
    interestedIn: (resource, object) =>
      resource === storageName(PODS) && hasSome(object as Pod) ? [keyOf(object)] : [],
    reconcile: (key) => {
      const pod = store.get<Pod>(PODS, ...splitKey(key));
      if (!pod || pod.metadata.deletionTimestamp !== undefined || isFinished(pod)) return;
      for (const volume of pod.spec.volumes ?? []) {
        const name = claimNameOf(pod, volume);
        if (!volume.ephemeral || name === null || store.get(CLAIMS, pod.metadata.namespace, name)) continue;
        const { metadata, spec } = volume.ephemeral.volumeClaimTemplate;
        try {
          writer.create(CLAIMS, pod.metadata.namespace, {
            metadata: { ...metadata, name, ownerReferences: [ownerReferenceTo(pod)] },
            spec,
          });
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          const message = `ephemeral volume ${volume.name}: create PVC ${name}: ${error.message}`;
          recordEvent(context, pod, {
            type: 'Warning',
            reason: 'FailedBinding',
            message,
            component: 'ephemeral-volume-controller',
          });
          timers.set(`ephemeral ${key}`, RETRY_MS, () => enqueue('ephemeral-volumes', key));
        }
      }
    },
    everything: () => store.list<Pod>(PODS).filter(hasSome).map(keyOf),
  };
};
