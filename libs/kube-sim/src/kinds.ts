/** One resource of the API: where it is served and what the generic machinery must know of it. */
export type ResourceKind = {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  /** The status is written through `/status` alone, and dropped from other writes. */
  readonly statusSubresource: boolean;
  readonly scaleSubresource: boolean;
};

type Traits = { cluster?: boolean; status?: boolean; scale?: boolean; short?: string[] };

const resource = (
  group: string,
  version: string,
  kind: string,
  plural: string,
  traits: Traits = {},
): ResourceKind => ({
  group,
  version,
  kind,
  plural,
  namespaced: traits.cluster !== true,
  shortNames: traits.short ?? [],
  statusSubresource: traits.status === true,
  scaleSubresource: traits.scale === true,
});

export const NAMESPACES = resource('', 'v1', 'Namespace', 'namespaces', {
  cluster: true,
  status: true,
  short: ['ns'],
});
export const NODES = resource('', 'v1', 'Node', 'nodes', { cluster: true, status: true, short: ['no'] });
export const PODS = resource('', 'v1', 'Pod', 'pods', { status: true, short: ['po'] });
export const SERVICES = resource('', 'v1', 'Service', 'services', { status: true, short: ['svc'] });
export const SECRETS = resource('', 'v1', 'Secret', 'secrets');
export const CONFIG_MAPS = resource('', 'v1', 'ConfigMap', 'configmaps', { short: ['cm'] });
export const EVENTS = resource('', 'v1', 'Event', 'events', { short: ['ev'] });
export const RESOURCE_QUOTAS = resource('', 'v1', 'ResourceQuota', 'resourcequotas', {
  status: true,
  short: ['quota'],
});
export const LIMIT_RANGES = resource('', 'v1', 'LimitRange', 'limitranges', { short: ['limits'] });
export const SERVICE_ACCOUNTS = resource('', 'v1', 'ServiceAccount', 'serviceaccounts', { short: ['sa'] });
export const CLAIMS = resource('', 'v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', {
  status: true,
  short: ['pvc'],
});
export const VOLUMES = resource('', 'v1', 'PersistentVolume', 'persistentvolumes', {
  cluster: true,
  status: true,
  short: ['pv'],
});
export const DEPLOYMENTS = resource('apps', 'v1', 'Deployment', 'deployments', {
  status: true,
  scale: true,
  short: ['deploy'],
});
export const STATEFUL_SETS = resource('apps', 'v1', 'StatefulSet', 'statefulsets', {
  status: true,
  scale: true,
  short: ['sts'],
});
export const REPLICA_SETS = resource('apps', 'v1', 'ReplicaSet', 'replicasets', {
  status: true,
  scale: true,
  short: ['rs'],
});
export const JOBS = resource('batch', 'v1', 'Job', 'jobs', { status: true });
export const NETWORK_POLICIES = resource('networking.k8s.io', 'v1', 'NetworkPolicy', 'networkpolicies', {
  short: ['netpol'],
});
export const INGRESSES = resource('networking.k8s.io', 'v1', 'Ingress', 'ingresses', {
  status: true,
  short: ['ing'],
});
export const STORAGE_CLASSES = resource('storage.k8s.io', 'v1', 'StorageClass', 'storageclasses', {
  cluster: true,
  short: ['sc'],
});
export const PRIORITY_CLASSES = resource('scheduling.k8s.io', 'v1', 'PriorityClass', 'priorityclasses', {
  cluster: true,
  short: ['pc'],
});
export const RUNTIME_CLASSES = resource('node.k8s.io', 'v1', 'RuntimeClass', 'runtimeclasses', {
  cluster: true,
});
export const ENDPOINT_SLICES = resource('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices');

/** Everything that is served. A kind without behaviour of its own needs only its line here. */
export const resourceKinds: readonly ResourceKind[] = [
  NAMESPACES,
  NODES,
  PODS,
  SERVICES,
  SECRETS,
  CONFIG_MAPS,
  EVENTS,
  RESOURCE_QUOTAS,
  LIMIT_RANGES,
  SERVICE_ACCOUNTS,
  CLAIMS,
  VOLUMES,
  DEPLOYMENTS,
  STATEFUL_SETS,
  REPLICA_SETS,
  JOBS,
  NETWORK_POLICIES,
  INGRESSES,
  STORAGE_CLASSES,
  PRIORITY_CLASSES,
  RUNTIME_CLASSES,
  ENDPOINT_SLICES,
  resource('networking.k8s.io', 'v1', 'IngressClass', 'ingressclasses', { cluster: true }),
  resource('coordination.k8s.io', 'v1', 'Lease', 'leases'),
  resource('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets', { status: true, short: ['pdb'] }),
  resource('rbac.authorization.k8s.io', 'v1', 'Role', 'roles'),
  resource('rbac.authorization.k8s.io', 'v1', 'RoleBinding', 'rolebindings'),
  resource('rbac.authorization.k8s.io', 'v1', 'ClusterRole', 'clusterroles', { cluster: true }),
  resource('rbac.authorization.k8s.io', 'v1', 'ClusterRoleBinding', 'clusterrolebindings', { cluster: true }),
];

export const apiVersionOf = (kind: ResourceKind): string =>
  kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;

/** The name storage files the objects of a kind under, for example `deployments.apps`. */
export const storageName = (kind: ResourceKind): string =>
  kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;

const byPath = new Map(resourceKinds.map((kind) => [`${apiVersionOf(kind)}/${kind.plural}`, kind]));
const byKind = new Map(resourceKinds.map((kind) => [`${apiVersionOf(kind)}/${kind.kind}`, kind]));

export const findResource = (apiVersion: string, plural: string): ResourceKind | undefined =>
  byPath.get(`${apiVersion}/${plural}`);
export const findKind = (apiVersion: string, kind: string): ResourceKind | undefined =>
  byKind.get(`${apiVersion}/${kind}`);
