/** Anything JSON can say. */
export type Value = null | boolean | number | string | Value[] | { [field: string]: Value };
export type Fields = { [field: string]: Value };

export type OwnerReference = {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
};

export type ManagedFields = {
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  time?: string;
  fieldsType: 'FieldsV1';
  fieldsV1: Fields;
  subresource?: string;
};

export type ObjectMeta = {
  name: string;
  namespace?: string;
  generateName?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFields[];
};

/** What storage holds: every kind alike. Objects in storage are never changed in place. */
export type KubeObject = {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
};

/** A quantity in JSON may be a number or a string such as `500m` or `2Gi`. */
export type Quantity = string | number;
export type ResourceList = Record<string, Quantity>;

export type EnvVar = { name: string; value?: string; valueFrom?: EnvSource };
export type EnvSource = {
  secretKeyRef?: { name: string; key: string; optional?: boolean };
  configMapKeyRef?: { name: string; key: string; optional?: boolean };
};

export type Container = {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: EnvVar[];
  envFrom?: {
    secretRef?: { name: string; optional?: boolean };
    configMapRef?: { name: string; optional?: boolean };
  }[];
  ports?: { name?: string; containerPort: number; protocol?: string }[];
  resources?: { limits?: ResourceList; requests?: ResourceList };
  volumeMounts?: { name: string; mountPath: string }[];
  securityContext?: Fields;
};

export type Volume = {
  name: string;
  persistentVolumeClaim?: { claimName: string };
  secret?: { secretName: string; optional?: boolean };
  configMap?: { name: string; optional?: boolean };
  hostPath?: Fields;
  ephemeral?: {
    volumeClaimTemplate: {
      metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
      spec: PersistentVolumeClaim['spec'];
    };
  };
  [source: string]: unknown;
};

export type Toleration = {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
  tolerationSeconds?: number;
};
export type Taint = { key: string; value?: string; effect: string; timeAdded?: string };

export type NodeSelectorRequirement = { key: string; operator: string; values?: string[] };
export type NodeSelectorTerm = {
  matchExpressions?: NodeSelectorRequirement[];
  matchFields?: NodeSelectorRequirement[];
};

export type LabelSelector = {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
};

export type PodAffinityTerm = { labelSelector?: LabelSelector; topologyKey: string };

export type PodSpec = {
  containers: Container[];
  initContainers?: Container[];
  restartPolicy?: 'Always' | 'OnFailure' | 'Never';
  nodeName?: string;
  nodeSelector?: Record<string, string>;
  affinity?: {
    nodeAffinity?: {
      requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms: NodeSelectorTerm[] };
    };
    podAntiAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: PodAffinityTerm[] };
    podAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: PodAffinityTerm[] };
  };
  tolerations?: Toleration[];
  volumes?: Volume[];
  terminationGracePeriodSeconds?: number;
  serviceAccountName?: string;
  priorityClassName?: string;
  runtimeClassName?: string;
  hostname?: string;
  subdomain?: string;
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  overhead?: ResourceList;
  securityContext?: Fields;
  activeDeadlineSeconds?: number;
};

export type ContainerState = {
  waiting?: { reason: string; message?: string };
  running?: { startedAt: string };
  terminated?: {
    exitCode: number;
    reason: string;
    startedAt: string;
    finishedAt: string;
    containerID?: string;
  };
};

export type ContainerStatus = {
  name: string;
  image: string;
  imageID: string;
  containerID?: string;
  ready: boolean;
  started: boolean;
  restartCount: number;
  state: ContainerState;
  lastState: ContainerState;
};

export type Condition = {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastProbeTime?: string | null;
  lastHeartbeatTime?: string;
  lastUpdateTime?: string;
};

export type PodStatus = {
  phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
  conditions?: Condition[];
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
  startTime?: string;
  podIP?: string;
  podIPs?: { ip: string }[];
  hostIP?: string;
  qosClass?: string;
  reason?: string;
  message?: string;
};

export type Pod = KubeObject & { spec: PodSpec; status: PodStatus };
export type PodTemplate = {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: PodSpec;
};

export type Node = KubeObject & {
  spec: { taints?: Taint[]; unschedulable?: boolean; providerID?: string; podCIDR?: string };
  status: {
    capacity: ResourceList;
    allocatable: ResourceList;
    conditions?: Condition[];
    addresses?: { type: string; address: string }[];
    nodeInfo?: Fields;
  };
};

export type Namespace = KubeObject & {
  spec?: { finalizers?: string[] };
  status?: { phase: 'Active' | 'Terminating'; conditions?: Condition[] };
};

export type ReplicaSet = KubeObject & {
  spec: { replicas?: number; selector: LabelSelector; template: PodTemplate };
  status?: Fields;
};

export type Deployment = KubeObject & {
  spec: {
    replicas?: number;
    selector: LabelSelector;
    template: PodTemplate;
    strategy?: {
      type?: 'RollingUpdate' | 'Recreate';
      rollingUpdate?: { maxSurge?: Quantity; maxUnavailable?: Quantity };
    };
    progressDeadlineSeconds?: number;
    revisionHistoryLimit?: number;
    paused?: boolean;
  };
  status?: Fields & { conditions?: Condition[] };
};

export type PersistentVolumeClaim = KubeObject & {
  spec: {
    storageClassName?: string;
    accessModes?: string[];
    resources?: { requests?: ResourceList };
    volumeName?: string;
  };
  status?: { phase: 'Pending' | 'Bound'; capacity?: ResourceList; accessModes?: string[] };
};

export type StatefulSet = KubeObject & {
  spec: {
    replicas?: number;
    serviceName?: string;
    selector: LabelSelector;
    template: PodTemplate;
    volumeClaimTemplates?: (Pick<PersistentVolumeClaim, 'spec'> & {
      metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
    })[];
    podManagementPolicy?: 'OrderedReady' | 'Parallel';
    updateStrategy?: { type?: 'RollingUpdate' | 'OnDelete' };
    persistentVolumeClaimRetentionPolicy?: { whenDeleted?: string; whenScaled?: string };
  };
  status?: Fields;
};

export type Job = KubeObject & {
  spec: {
    parallelism?: number;
    completions?: number;
    completionMode?: 'NonIndexed' | 'Indexed';
    backoffLimit?: number;
    activeDeadlineSeconds?: number;
    ttlSecondsAfterFinished?: number;
    suspend?: boolean;
    selector?: LabelSelector;
    template: PodTemplate;
  };
  status?: {
    active?: number;
    ready?: number;
    succeeded?: number;
    failed?: number;
    terminating?: number;
    startTime?: string;
    completionTime?: string;
    completedIndexes?: string;
    conditions?: Condition[];
  };
};

export type Service = KubeObject & {
  spec: {
    type?: string;
    clusterIP?: string;
    clusterIPs?: string[];
    selector?: Record<string, string>;
    ports?: { name?: string; port: number; targetPort?: Quantity; protocol?: string; nodePort?: number }[];
    publishNotReadyAddresses?: boolean;
  };
};

export type ResourceQuota = KubeObject & {
  spec: { hard?: ResourceList };
  status?: { hard?: ResourceList; used?: ResourceList };
};

export type LimitRange = KubeObject & {
  spec: {
    limits: {
      type: string;
      default?: ResourceList;
      defaultRequest?: ResourceList;
      max?: ResourceList;
      min?: ResourceList;
    }[];
  };
};

export type KubeEvent = KubeObject & {
  involvedObject: {
    apiVersion: string;
    kind: string;
    name: string;
    namespace?: string;
    uid: string;
    fieldPath?: string;
  };
  reason: string;
  message: string;
  type: 'Normal' | 'Warning';
  source: { component: string; host?: string };
  reportingComponent: string;
  reportingInstance: string;
  count: number;
  firstTimestamp: string;
  lastTimestamp: string;
};

/** Kubernetes writes times as RFC 3339 with whole seconds. */
export const kubeTime = (instantMs: number): string => `${new Date(instantMs).toISOString().slice(0, 19)}Z`;

/** The condition list with one condition set; `lastTransitionTime` moves only when the status changes. */
export const withCondition = (
  conditions: readonly Condition[] | undefined,
  condition: Condition,
  nowMs: number,
): Condition[] => {
  const before = conditions?.find((each) => each.type === condition.type);
  const lastTransitionTime =
    before?.status === condition.status && before.lastTransitionTime !== undefined
      ? before.lastTransitionTime
      : kubeTime(nowMs);
  const made = { ...condition, lastTransitionTime };
  if (!before) return [...(conditions ?? []), made];
  return conditions!.map((each) => (each === before ? made : each));
};

export const conditionOf = (
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined => conditions?.find((each) => each.type === type);

export const controllerOf = (object: KubeObject): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find((owner) => owner.controller === true);

export const ownerReferenceTo = (owner: KubeObject): OwnerReference => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});
