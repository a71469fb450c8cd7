import type { KubernetesObject } from '../../domain/objects/object-types.ts';

/** Where the kinds that a lease consists of are served. */
const PLURALS: Readonly<Record<string, { plural: string; namespaced: boolean }>> = {
  Namespace: { plural: 'namespaces', namespaced: false },
  ResourceQuota: { plural: 'resourcequotas', namespaced: true },
  LimitRange: { plural: 'limitranges', namespaced: true },
  Secret: { plural: 'secrets', namespaced: true },
  Service: { plural: 'services', namespaced: true },
  NetworkPolicy: { plural: 'networkpolicies', namespaced: true },
  Ingress: { plural: 'ingresses', namespaced: true },
  Deployment: { plural: 'deployments', namespaced: true },
  StatefulSet: { plural: 'statefulsets', namespaced: true },
  Job: { plural: 'jobs', namespaced: true },
};

export const pathOfObject = ({ apiVersion, kind, metadata }: KubernetesObject): string => {
  const known = PLURALS[kind];
  if (!known) throw new Error(`no path is known for objects of kind ${kind}`);
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = known.namespaced ? `/namespaces/${encodeURIComponent(metadata.namespace ?? '')}` : '';
  return `${base}${scope}/${known.plural}/${encodeURIComponent(metadata.name)}`;
};
