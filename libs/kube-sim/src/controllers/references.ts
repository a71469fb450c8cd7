import { CLAIMS, CONFIG_MAPS, type ResourceKind, SECRETS } from '../kinds.ts';
import type { Container, PersistentVolumeClaim, Pod } from '../objects.ts';
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

/** Why the pod's volumes cannot be mounted; null when they can. */
export const missingVolume = (store: ObjectStore, pod: Pod): string | null => {
  const { namespace } = pod.metadata;
  for (const { name, persistentVolumeClaim, secret, configMap } of pod.spec.volumes ?? []) {
    if (persistentVolumeClaim) {
      const claim = store.get<PersistentVolumeClaim>(CLAIMS, namespace, persistentVolumeClaim.claimName);
      if (claim?.status?.phase !== 'Bound') {
        return `unbound PersistentVolumeClaim ${persistentVolumeClaim.claimName} of volume ${name}`;
      }
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
