import type { Container, LimitRange, Pod, ResourceList } from '../objects.ts';
import { forbidden } from '../api/status.ts';
import { LIMIT_RANGES, PODS } from '../kinds.ts';
import { amountOf, formatAmount } from '../quantity.ts';
import type { ObjectStore } from '../storage/store.ts';

type Limit = LimitRange['spec']['limits'][number];

const fill = (container: Container, limit: Limit): Container => {
  const limits: ResourceList = { ...limit.default, ...container.resources?.limits };
  const defaults = { ...limit.default, ...limit.defaultRequest, ...container.resources?.limits };
  const named = { ...limit.defaultRequest, ...limit.default, ...container.resources?.limits };
  const requests: ResourceList = {};
  for (const resource of Object.keys(named)) requests[resource] = defaults[resource]!;
  return {
    ...container,
    resources: {
      ...container.resources,
      limits,
      requests: { ...requests, ...container.resources?.requests },
    },
  };
};

/**
 * Gives containers the defaults of the namespace's LimitRanges and refuses those outside of their bounds.
 * @throws ApiError 403
 */
export const applyLimitRanges = (store: ObjectStore, pod: Pod): Pod => {
  const limits = store
    .list<LimitRange>(LIMIT_RANGES, pod.metadata.namespace)
    .flatMap((range) => range.spec.limits.filter((limit) => limit.type === 'Container'));
  let containers = pod.spec.containers;
  for (const limit of limits) {
    containers = containers.map((container) => fill(container, limit));
    for (const container of containers) {
      for (const [resource, bound] of Object.entries(limit.max ?? {})) {
        const value = container.resources?.limits?.[resource];
        if (value !== undefined && amountOf(resource, value) > amountOf(resource, bound)) {
          const maximum = formatAmount(resource, amountOf(resource, bound));
          throw forbidden(
            PODS,
            pod.metadata.name,
            `maximum ${resource} usage per Container is ${maximum}, but limit is ${value}`,
          );
        }
      }
      for (const [resource, bound] of Object.entries(limit.min ?? {})) {
        const value = container.resources?.requests?.[resource];
        if (value !== undefined && amountOf(resource, value) < amountOf(resource, bound)) {
          const minimum = formatAmount(resource, amountOf(resource, bound));
          throw forbidden(
            PODS,
            pod.metadata.name,
            `minimum ${resource} usage per Container is ${minimum}, but request is ${value}`,
          );
        }
      }
    }
  }
  return { ...pod, spec: { ...pod.spec, containers } };
};
