import { namespaceUsage, usedOf } from '../admission/quota.ts';
import {
  CLAIMS,
  CONFIG_MAPS,
  JOBS,
  PODS,
  RESOURCE_QUOTAS,
  SECRETS,
  SERVICES,
  storageName,
} from '../kinds.ts';
import type { ResourceQuota } from '../objects.ts';
import type { Controller, ControllerContext } from './context.ts';

const counted = new Set(
  [PODS, CLAIMS, CONFIG_MAPS, JOBS, RESOURCE_QUOTAS, SECRETS, SERVICES].map(storageName),
);

/** Shows in the status of quotas what their namespace uses. */
export const quotaController = ({ store, writer }: ControllerContext): Controller => ({
  name: 'quotas',
  interestedIn: (resource, object) => (counted.has(resource) ? [object.metadata.namespace!] : []),
  reconcile: (namespace) => {
    const quotas = store.list<ResourceQuota>(RESOURCE_QUOTAS, namespace);
    if (quotas.length === 0) return;
    const usage = namespaceUsage(store, namespace);
    for (const quota of quotas) {
      writer.putStatus(RESOURCE_QUOTAS, quota, { hard: quota.spec.hard ?? {}, used: usedOf(quota, usage) });
    }
  },
  everything: () => [...new Set(store.list(RESOURCE_QUOTAS).map((quota) => quota.metadata.namespace!))],
});
