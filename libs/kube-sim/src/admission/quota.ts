import type { Container, Pod, ResourceQuota } from '../objects.ts';
import { forbidden } from '../api/status.ts';
import {
  CLAIMS,
  CONFIG_MAPS,
  JOBS,
  PODS,
  RESOURCE_QUOTAS,
  type ResourceKind,
  SECRETS,
  SERVICES,
} from '../kinds.ts';
import { addAmounts, type Amounts, amountOf, amountsOf, formatAmount } from '../quantity.ts';
import type { KubeObject, PersistentVolumeClaim, ResourceList } from '../objects.ts';
import type { ObjectStore } from '../storage/store.ts';

export const isFinished = (pod: Pod): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

const largest = (containers: readonly Container[], list: 'requests' | 'limits'): Amounts => {
  const result: Amounts = new Map();
  for (const container of containers) {
    for (const [resource, amount] of amountsOf(container.resources?.[list])) {
      result.set(resource, Math.max(result.get(resource) ?? 0, amount));
    }
  }
  return result;
};

/** What a pod takes: the sum over its containers, or what its hungriest init container takes, if that is more. */
export const podAmounts = (pod: Pick<Pod, 'spec'>, list: 'requests' | 'limits' = 'requests'): Amounts => {
  const total: Amounts = new Map();
  for (const container of pod.spec.containers) addAmounts(total, amountsOf(container.resources?.[list]));
  for (const [resource, amount] of largest(pod.spec.initContainers ?? [], list)) {
    total.set(resource, Math.max(total.get(resource) ?? 0, amount));
  }
  return addAmounts(total, amountsOf(pod.spec.overhead));
};

const STANDARD = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** Usage of one object in the names quotas use: `requests.cpu`, `limits.memory`, `requests.nvidia.com/gpu`, `pods`. */
const usageOf = (kind: ResourceKind, object: KubeObject): Amounts => {
  const usage: Amounts = new Map();
  const one = (name: string): Map<string, number> => usage.set(name, 1).set(`count/${name}`, 1);
  if (kind === PODS) {
    const pod = object as Pod;
    usage.set('count/pods', 1);
    if (isFinished(pod)) return usage;
    usage.set('pods', 1);
    for (const [resource, amount] of podAmounts(pod)) {
      usage.set(`requests.${resource}`, amount);
      if (STANDARD.has(resource)) usage.set(resource, amount);
    }
    for (const [resource, amount] of podAmounts(pod, 'limits')) {
      if (STANDARD.has(resource)) usage.set(`limits.${resource}`, amount);
    }
    return usage;
  }
  if (kind === CLAIMS) {
    const { spec } = object as PersistentVolumeClaim;
    const size = amountOf('storage', spec.resources?.requests?.['storage'] ?? 0);
    usage.set('requests.storage', size);
    if (spec.storageClassName) {
      usage.set(`${spec.storageClassName}.storageclass.storage.k8s.io/requests.storage`, size);
      usage.set(`${spec.storageClassName}.storageclass.storage.k8s.io/persistentvolumeclaims`, 1);
    }
  }
  if (kind === JOBS) return usage.set('count/jobs.batch', 1);
  if (kind === SERVICES) {
    const type = (object as { spec?: { type?: string } }).spec?.type;
    if (type === 'NodePort' || type === 'LoadBalancer') usage.set('services.nodeports', 1);
    if (type === 'LoadBalancer') usage.set('services.loadbalancers', 1);
  }
  one(kind.plural);
  return usage;
};

const COUNTED: readonly ResourceKind[] = [PODS, CLAIMS, SERVICES, SECRETS, CONFIG_MAPS, JOBS];

/** Usage of a namespace, by looking: it is never counted up and down on the side. */
export const namespaceUsage = (store: ObjectStore, namespace: string): Amounts => {
  const total: Amounts = new Map();
  for (const kind of COUNTED) {
    for (const object of store.list(kind, namespace)) addAmounts(total, usageOf(kind, object));
  }
  return total;
};

export const usedOf = (quota: ResourceQuota, usage: Amounts): ResourceList => {
  const used: ResourceList = {};
  for (const name of Object.keys(quota.spec.hard ?? {}))
    used[name] = formatAmount(name, usage.get(name) ?? 0);
  return used;
};

const show = (entries: [string, number][]): string =>
  entries.map(([name, amount]) => `${name}=${formatAmount(name, amount)}`).join(',');

/**
 * Refuses what would go over a quota of the namespace, and pods that do not say what a quota counts.
 * @throws ApiError 403 in the words of the real server
 */
export const checkQuota = (store: ObjectStore, kind: ResourceKind, object: KubeObject): void => {
  if (!COUNTED.includes(kind)) return;
  const { namespace, name } = object.metadata;
  const quotas = store.list<ResourceQuota>(RESOURCE_QUOTAS, namespace);
  if (quotas.length === 0) return;
  const wanted = usageOf(kind, object);
  const usage = namespaceUsage(store, namespace!);
  for (const quota of quotas) {
    const hard = Object.entries(quota.spec.hard ?? {}).map(
      ([key, value]) => [key, amountOf(key, value)] as const,
    );
    if (kind === PODS) {
      const missing = hard.filter(
        ([key]) => /^(requests\.|limits\.)?(cpu|memory)$/.test(key) && !wanted.has(key),
      );
      if (missing.length > 0) {
        const what = missing.map(([key]) => key).join(',');
        const who = (object as Pod).spec.containers.map((container) => container.name).join(',');
        throw forbidden(kind, name, `failed quota: ${quota.metadata.name}: must specify ${what} for: ${who}`);
      }
    }
    const over = hard.filter(
      ([key, limit]) => (wanted.get(key) ?? 0) > 0 && (usage.get(key) ?? 0) + wanted.get(key)! > limit,
    );
    if (over.length > 0) {
      const requested = show(over.map(([key]) => [key, wanted.get(key)!]));
      const used = show(over.map(([key]) => [key, usage.get(key) ?? 0]));
      const limited = show(over.map(([key, limit]) => [key, limit]));
      throw forbidden(
        kind,
        name,
        `exceeded quota: ${quota.metadata.name}, requested: ${requested}, used: ${used}, limited: ${limited}`,
      );
    }
  }
};
