/**
 * How the API's schema merges its lists and maps (x-kubernetes-list-type, -list-map-keys, -map-type), for the kinds
 * that are served. Paths are field names; list items add no step.
 */
export type ListType =
  | { readonly type: 'map'; readonly keys: readonly string[] }
  | { readonly type: 'set' }
  | { readonly type: 'atomic' };

const ATOMIC: ListType = { type: 'atomic' };
const keyed = (...keys: string[]): ListType => ({ type: 'map', keys });

const LISTS: Record<string, ListType> = {
  containers: keyed('name'),
  initContainers: keyed('name'),
  env: keyed('name'),
  volumes: keyed('name'),
  volumeMounts: keyed('mountPath'),
  volumeDevices: keyed('devicePath'),
  imagePullSecrets: keyed('name'),
  hostAliases: keyed('ip'),
  topologySpreadConstraints: keyed('topologyKey', 'whenUnsatisfiable'),
  conditions: keyed('type'),
  ownerReferences: keyed('uid'),
  resourceClaims: keyed('name'),
  claims: keyed('name'),
  podIPs: keyed('ip'),
  finalizers: { type: 'set' },
};

export const listTypeOf = (path: readonly string[]): ListType => {
  const field = path.at(-1)!;
  if (field === 'ports') {
    const parent = path.at(-2);
    if (parent === 'containers' || parent === 'initContainers') return keyed('containerPort', 'protocol');
    return parent === 'spec' && path.length === 2 ? keyed('port', 'protocol') : ATOMIC;
  }
  if (path.at(-2) === 'status' && field === 'addresses') return keyed('type');
  return LISTS[field] ?? ATOMIC;
};

/** Fields of a key that the server fills in when they are absent. */
export const KEY_DEFAULTS: Record<string, string> = { protocol: 'TCP' };

const ATOMIC_MAPS = new Set([
  'selector',
  'nodeSelector',
  'podSelector',
  'namespaceSelector',
  'labelSelector',
  'secretKeyRef',
  'configMapKeyRef',
  'fieldRef',
  'resourceFieldRef',
  'scaleTargetRef',
]);

export const isAtomicMap = (path: readonly string[]): boolean =>
  ATOMIC_MAPS.has(path.at(-1) ?? '') ||
  (path.at(-2) === 'nodeAffinity' && path.at(-1) === 'requiredDuringSchedulingIgnoredDuringExecution');
