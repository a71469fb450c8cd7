import { CLAIMS, CONFIG_MAPS, type ResourceKind, SECRETS } from '../kinds.ts';
import type { Container, PersistentVolumeClaim, Pod, Volume } from '../objects.ts';
import type { ObjectStore } from '../storage/store.ts';

/** Why a container cannot be made: something it refers to does not exist. Null when all is there. */
export const missingReference = (store: ObjectStore, pod: Pod, container: Container): string | null => {
  const { namespace } = pod.metadata;
  const absent = (kind: ResourceKind, name: string, key?: string): boolean => {
    const found = store.get(kind, namespace, name) as { data?: Record<string, string> } | undefined;
    return !found || (key !== undefined && found.data?.[key] === undefined);
  };
  for (const { valueFrom } of container.env ?? []) {
    const secret = valueFrom?.secretKeyRef;
    const config = valueFrom?.configMapKeyRef;
    if (secret && !secret.optional && absent(SECRETS, secret.name, secret.key)) {
      return `couldn't find key ${secret.key} in Secret ${namespace}/${secret.name}`;
    }
    if (config && !config.optional && absent(CONFIG_MAPS, config.name, config.key)) {
      return `couldn't find key ${config.key} in ConfigMap ${namespace}/${config.name}`;
    }
  }
  for (const { secretRef, configMapRef } of container.envFrom ?? []) {
    if (secretRef && !secretRef.optional && absent(SECRETS, secretRef.name))
      return `secret "${secretRef.name}" not found`;
    if (configMapRef && !configMapRef.optional && absent(CONFIG_MAPS, configMapRef.name)) {
      return `configmap "${configMapRef.name}" not found`;
    }
  }
  return null;
};

/** The claim behind a volume, null where there is none; that of an ephemeral volume is named after its pod. */
export const claimNameOf = (pod: Pod, volume: Volume): string | null => {
  if (volume.persistentVolumeClaim) return volume.persistentVolumeClaim.claimName;
  return volume.ephemeral ? `${pod.metadata.name}-${volume.name}` : null;
};

/** Why the pod's volumes cannot be mounted; null when they can. */
export const missingVolume = (store: ObjectStore, pod: Pod): string | null => {
  const { namespace } = pod.metadata;
  for (const volume of pod.spec.volumes ?? []) {
    const { name, secret, configMap } = volume;
    const claimName = claimNameOf(pod, volume);
    if (claimName !== null) {
      const claim = store.get<PersistentVolumeClaim>(CLAIMS, namespace, claimName);
      if (claim?.status?.phase !== 'Bound')
        return `unbound PersistentVolumeClaim ${claimName} of volume ${name}`;
    }
    if (secret && !secret.optional && !store.get(SECRETS, namespace, secret.secretName)) {
      return `secret "${secret.secretName}" not found`;
    }
    if (configMap && !configMap.optional && !store.get(CONFIG_MAPS, namespace, configMap.name)) {
      return `configmap "${configMap.name}" not found`;
    }
  }
  return null;
};
