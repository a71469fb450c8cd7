import type {
  Container,
  Deployment,
  Job,
  KubeObject,
  PersistentVolumeClaim,
  PodSpec,
  Service,
  StatefulSet,
} from '../objects.ts';
import {
  CLAIMS,
  DEPLOYMENTS,
  JOBS,
  PODS,
  REPLICA_SETS,
  type ResourceKind,
  SECRETS,
  SERVICES,
  STATEFUL_SETS,
} from '../kinds.ts';

const containerDefaults = (container: Container): Container => ({
  ...container,
  resources: container.resources ?? {},
  ...(container.ports === undefined
    ? {}
    : { ports: container.ports.map((port) => ({ ...port, protocol: port.protocol ?? 'TCP' })) }),
  ...{
    imagePullPolicy: 'IfNotPresent',
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  },
  ...pick(container, ['imagePullPolicy', 'terminationMessagePath', 'terminationMessagePolicy']),
});

const pick = (source: object, fields: readonly string[]): object =>
  Object.fromEntries(Object.entries(source).filter(([field]) => fields.includes(field)));

const podSpecDefaults = (spec: PodSpec, restartPolicy: 'Always' | undefined): PodSpec => {
  const policy = spec.restartPolicy ?? restartPolicy;
  return {
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    ...spec,
    ...(policy === undefined ? {} : { restartPolicy: policy }),
    containers: (spec.containers ?? []).map(containerDefaults),
    ...(spec.initContainers === undefined
      ? {}
      : { initContainers: spec.initContainers.map(containerDefaults) }),
  } as PodSpec;
};

const podDefaults = (object: KubeObject & { spec?: PodSpec }): KubeObject => {
  const spec = podSpecDefaults(object.spec ?? { containers: [] }, 'Always');
  const admitted: PodSpec = {
    ...spec,
    serviceAccountName: spec.serviceAccountName ?? 'default',
    tolerations: [
      ...(spec.tolerations ?? []),
      ...['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']
        .filter((key) => !spec.tolerations?.some((each) => each.key === undefined || each.key === key))
        .map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 })),
    ],
    containers: spec.containers.map((container) => ({
      ...container,
      resources: requestsFromLimits(container),
    })),
  };
  return { ...object, spec: admitted } as KubeObject;
};

/** A limit without a request is its own request. */
const requestsFromLimits = ({ resources }: Container): NonNullable<Container['resources']> => {
  if (!resources?.limits) return resources ?? {};
  return { ...resources, requests: { ...resources.limits, ...resources.requests } };
};

const templated = <T extends { template: { spec: PodSpec } }>(spec: T, restart: 'Always' | undefined): T => ({
  ...spec,
  template: { ...spec.template, spec: podSpecDefaults(spec.template?.spec ?? { containers: [] }, restart) },
});

const deploymentDefaults = (object: Deployment): Deployment => {
  const strategy = object.spec.strategy ?? {};
  const type = strategy.type ?? 'RollingUpdate';
  return {
    ...object,
    spec: {
      ...{ replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 },
      ...templated(object.spec, 'Always'),
      strategy:
        type === 'Recreate'
          ? { type }
          : { type, rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%', ...strategy.rollingUpdate } },
    },
  };
};

const statefulSetDefaults = (object: StatefulSet): StatefulSet => {
  const templates = object.spec.volumeClaimTemplates?.map((template) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    ...template,
    spec: { volumeMode: 'Filesystem', ...template.spec },
  }));
  return {
    ...object,
    spec: {
      ...{ replicas: 1, podManagementPolicy: 'OrderedReady', revisionHistoryLimit: 10 },
      ...{ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } },
      ...templated(object.spec, 'Always'),
      ...(templates === undefined ? {} : { volumeClaimTemplates: templates }),
    },
  } as StatefulSet;
};

const jobDefaults = (object: Job): Job => {
  const { spec } = object;
  const both = spec.completions === undefined && spec.parallelism === undefined;
  const name = spec.selector ? {} : { 'batch.kubernetes.io/controller-uid': object.metadata.uid };
  const labels = {
    ...spec.template?.metadata?.labels,
    ...name,
    'batch.kubernetes.io/job-name': object.metadata.name,
    'job-name': object.metadata.name,
  };
  return {
    ...object,
    spec: {
      ...{
        backoffLimit: 6,
        completionMode: 'NonIndexed',
        suspend: false,
        podReplacementPolicy: 'TerminatingOrFailed',
      },
      ...templated(spec, undefined),
      parallelism: spec.parallelism ?? 1,
      ...(both ? { completions: 1 } : {}),
      ...(spec.selector || object.metadata.uid === ''
        ? {}
        : { selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': object.metadata.uid } } }),
      template: {
        ...templated(spec, undefined).template,
        metadata: { ...spec.template?.metadata, ...(object.metadata.uid === '' ? {} : { labels }) },
      },
    },
  };
};

const serviceDefaults = (object: Service): Service => ({
  ...object,
  spec: {
    ...{ sessionAffinity: 'None', type: 'ClusterIP', internalTrafficPolicy: 'Cluster' },
    ...object.spec,
    ...(object.spec?.ports === undefined
      ? {}
      : {
          ports: object.spec.ports.map((port) => ({
            ...port,
            protocol: port.protocol ?? 'TCP',
            targetPort: port.targetPort ?? port.port,
          })),
        }),
  },
});

type SecretLike = KubeObject & {
  stringData?: Record<string, string>;
  data?: Record<string, string>;
  type?: string;
};

/** `stringData` is for writing only: it is kept encoded in `data`. */
export const encodeStringData = (object: SecretLike): SecretLike => {
  if (object.stringData === undefined) return object;
  const { stringData, ...rest } = object;
  const data = { ...object.data };
  for (const [key, text] of Object.entries(stringData)) data[key] = Buffer.from(text).toString('base64');
  return { ...rest, data };
};

/** What the server fills in when the writer left it out. Idempotent. */
export const withDefaults = (kind: ResourceKind, object: KubeObject): KubeObject => {
  switch (kind) {
    case PODS:
      return podDefaults(object);
    case DEPLOYMENTS:
      return deploymentDefaults(object as Deployment);
    case REPLICA_SETS: {
      const { spec } = object as Deployment;
      return { ...object, spec: { replicas: 1, ...templated(spec, 'Always') } } as KubeObject;
    }
    case STATEFUL_SETS:
      return statefulSetDefaults(object as StatefulSet);
    case JOBS:
      return jobDefaults(object as Job);
    case SERVICES:
      return serviceDefaults(object as Service);
    case SECRETS:
      return { type: 'Opaque', ...encodeStringData(object) };
    case CLAIMS: {
      const claim = object as PersistentVolumeClaim;
      return { ...claim, spec: { volumeMode: 'Filesystem', ...claim.spec } } as KubeObject;
    }
    default:
      return object;
  }
};
