import type { Fields, KubeObject, Namespace, Pod, Service } from '../objects.ts';
import { forbidden } from '../api/status.ts';
import {
  CLAIMS,
  NAMESPACES,
  PODS,
  PRIORITY_CLASSES,
  type ResourceKind,
  RUNTIME_CLASSES,
  SERVICES,
  STORAGE_CLASSES,
} from '../kinds.ts';
import type { PersistentVolumeClaim } from '../objects.ts';
import type { ObjectStore } from '../storage/store.ts';
import { applyLimitRanges } from './limit-range.ts';
import { checkPodSecurity } from './pod-security.ts';
import { checkQuota } from './quota.ts';

const qosClass = (pod: Pod): string => {
  const lists = pod.spec.containers.map((container) => container.resources ?? {});
  const set = (list: Fields | undefined): boolean =>
    list?.['cpu'] !== undefined || list?.['memory'] !== undefined;
  if (!lists.some(({ limits, requests }) => set(limits) || set(requests))) return 'BestEffort';
  const guaranteed = lists.every(({ limits, requests }) =>
    ['cpu', 'memory'].every(
      (name) => limits?.[name] !== undefined && String(limits[name]) === String(requests?.[name]),
    ),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
};

const admitPod = (store: ObjectStore, pod: Pod): Pod => {
  const { name } = pod.metadata;
  const { priorityClassName, runtimeClassName } = pod.spec;
  if (
    priorityClassName &&
    !priorityClassName.startsWith('system-') &&
    !store.get(PRIORITY_CLASSES, undefined, priorityClassName)
  ) {
    throw forbidden(PODS, name, `no PriorityClass with name ${priorityClassName} was found`);
  }
  if (runtimeClassName && !store.get(RUNTIME_CLASSES, undefined, runtimeClassName)) {
    throw forbidden(PODS, name, `pod rejected: RuntimeClass "${runtimeClassName}" not found`);
  }
  const limited = applyLimitRanges(store, pod);
  checkPodSecurity(store, limited);
  return { ...limited, status: { phase: 'Pending', qosClass: qosClass(limited) } };
};

/** A free address of the service range; headless services keep `None`. */
const admitService = (store: ObjectStore, service: Service, before: Service | null): Service => {
  const given = service.spec.clusterIP ?? before?.spec.clusterIP;
  if (service.spec.type === 'ExternalName') return service;
  const taken = new Set(store.list<Service>(SERVICES).map((each) => each.spec.clusterIP));
  let address = given;
  for (let n = 2; !address; n += 1) {
    const candidate = `10.96.${Math.floor(n / 254)}.${(n % 254) + 1}`;
    if (!taken.has(candidate)) address = candidate;
  }
  const nodePorts = new Set(
    store.list<Service>(SERVICES).flatMap((each) => each.spec.ports?.map((port) => port.nodePort) ?? []),
  );
  const exposed = service.spec.type === 'NodePort' || service.spec.type === 'LoadBalancer';
  const ports = service.spec.ports?.map((port, i) => {
    if (!exposed || port.nodePort) return port;
    let nodePort = before?.spec.ports?.[i]?.nodePort ?? 0;
    for (let n = 30_000; nodePort === 0 && n < 32_768; n += 1) if (!nodePorts.has(n)) nodePort = n;
    nodePorts.add(nodePort);
    return { ...port, nodePort };
  });
  return {
    ...service,
    spec: { ...service.spec, clusterIP: address, clusterIPs: [address], ...(ports ? { ports } : {}) },
    ...(before ? {} : { status: { loadBalancer: {} } }),
  };
};

const admitClaim = (store: ObjectStore, claim: PersistentVolumeClaim): PersistentVolumeClaim => {
  if (claim.spec.storageClassName !== undefined) return { ...claim, status: { phase: 'Pending' } };
  const standard = store
    .list(STORAGE_CLASSES)
    .find((each) => each.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true');
  return {
    ...claim,
    spec: { ...claim.spec, ...(standard ? { storageClassName: standard.metadata.name } : {}) },
    status: { phase: 'Pending' },
  };
};

/**
 * Admission: what the server changes or refuses by looking at the rest of the cluster. `before` is null for a create.
 * @throws ApiError 403
 */
export const admit = (
  store: ObjectStore,
  kind: ResourceKind,
  object: KubeObject,
  before: KubeObject | null,
): KubeObject => {
  if (kind === SERVICES) return admitService(store, object as Service, before as Service | null);
  if (kind === NAMESPACES) {
    const { name, labels } = object.metadata;
    const namespace = object as Namespace;
    return {
      ...namespace,
      metadata: { ...namespace.metadata, labels: { ...labels, 'kubernetes.io/metadata.name': name } },
      spec: { finalizers: namespace.spec?.finalizers ?? ['kubernetes'] },
      status: before ? (before as Namespace).status : { phase: 'Active' },
    } as Namespace;
  }
  if (before) return object;
  let admitted = object;
  if (kind === PODS) admitted = admitPod(store, object as Pod);
  if (kind === CLAIMS) admitted = admitClaim(store, object as PersistentVolumeClaim);
  checkQuota(store, kind, admitted);
  return admitted;
};
