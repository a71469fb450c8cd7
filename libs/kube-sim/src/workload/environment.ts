import { CONFIG_MAPS, SECRETS } from '../kinds.ts';
import type { Container, Pod } from '../objects.ts';
import type { ObjectStore } from '../storage/store.ts';

type Data = { data?: Record<string, string> };

/** The variables a container starts with, as far as they are written out or refer to secrets and config maps. */
export const environmentOf = (store: ObjectStore, pod: Pod, container: Container): Map<string, string> => {
  const { namespace } = pod.metadata;
  const env = new Map<string, string>();
  for (const { name, value, valueFrom } of container.env ?? []) {
    const { secretKeyRef, configMapKeyRef } = valueFrom ?? {};
    if (value !== undefined) env.set(name, value);
    if (secretKeyRef) {
      const secret = store.get(SECRETS, namespace, secretKeyRef.name) as Data | undefined;
      const encoded = secret?.data?.[secretKeyRef.key];
      if (encoded !== undefined) env.set(name, Buffer.from(encoded, 'base64').toString('utf8'));
    }
    if (configMapKeyRef) {
      const config = store.get(CONFIG_MAPS, namespace, configMapKeyRef.name) as Data | undefined;
      const text = config?.data?.[configMapKeyRef.key];
      if (text !== undefined) env.set(name, text);
    }
  }
  return env;
};
