import { CLAIMS, STORAGE_CLASSES, storageName, VOLUMES } from '../kinds.ts';
import type { KubeObject, PersistentVolumeClaim } from '../objects.ts';
import { type Controller, type ControllerContext, keyOf, recordEvent, splitKey } from './context.ts';

const CLAIM_REF = 'sim/claim';

/** Binds each claim to a volume of its own when its storage class exists, and deletes volumes whose claim is gone. */
export const claimController = (context: ControllerContext): Controller => {
  const { store, writer, enqueue } = context;

  const waiting = (): string[] =>
    store
      .list<PersistentVolumeClaim>(CLAIMS)
      .filter((claim) => claim.status?.phase !== 'Bound')
      .map(keyOf);

  return {
    name: 'claims',
    interestedIn: (resource, object) => {
      if (resource === storageName(STORAGE_CLASSES)) return ['*'];
      return resource === storageName(CLAIMS) ? [keyOf(object)] : [];
    },
    reconcile: (key) => {
      if (key === '*') {
        for (const each of waiting()) enqueue('claims', each);
        return;
      }
      const claim = store.get<PersistentVolumeClaim>(CLAIMS, ...splitKey(key));
      if (!claim) {
        const orphans = store
          .list<KubeObject>(VOLUMES)
          .filter((volume) => volume.metadata.annotations?.[CLAIM_REF] === key);
        for (const volume of orphans) store.remove(VOLUMES, undefined, volume.metadata.name);
        return;
      }
      if (claim.status?.phase === 'Bound' || claim.metadata.deletionTimestamp !== undefined) return;
      const className = claim.spec.storageClassName;
      if (className === undefined || !store.get(STORAGE_CLASSES, undefined, className)) {
        const message =
          className === undefined
            ? 'no persistent volumes available for this claim and no storage class is set'
            : `storageclass.storage.k8s.io "${className}" not found`;
        return recordEvent(context, claim, {
          type: 'Warning',
          reason: 'ProvisioningFailed',
          message,
          component: 'persistentvolume-controller',
        });
      }
      const name = `pvc-${claim.metadata.uid}`;
      const capacity = claim.spec.resources?.requests ?? {};
      const accessModes = claim.spec.accessModes ?? ['ReadWriteOnce'];
      if (!store.get(VOLUMES, undefined, name)) {
        const { apiVersion, kind, metadata } = claim;
        writer.create(VOLUMES, undefined, {
          metadata: { name, annotations: { [CLAIM_REF]: key } },
          spec: {
            capacity,
            accessModes,
            storageClassName: className,
            persistentVolumeReclaimPolicy: 'Delete',
            claimRef: {
              apiVersion,
              kind,
              name: metadata.name,
              namespace: metadata.namespace!,
              uid: metadata.uid,
            },
          },
        });
      }
      const bound = writer.put(CLAIMS, { ...claim, spec: { ...claim.spec, volumeName: name } });
      writer.putStatus(CLAIMS, bound, { phase: 'Bound', capacity, accessModes });
    },
    everything: waiting,
  };
};
