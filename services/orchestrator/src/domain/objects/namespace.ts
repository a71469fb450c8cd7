import { groupTotals } from '@gridbourse/events';
import { gpuTotals } from './gpu-units.ts';
import { namespaceOf, ownerLabels, wrapper } from './names.ts';
import type { KubernetesObject, LeaseTerms, ObjectOptions } from './object-types.ts';

/** The namespace enforces pod security itself, whatever may later be created in it. */
export const namespaceObject = (lease: LeaseTerms, options: ObjectOptions): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: namespaceOf(lease.leaseId),
    labels: {
      ...ownerLabels(lease, options),
      'pod-security.kubernetes.io/enforce': options.hardening,
      'pod-security.kubernetes.io/audit': 'restricted',
      'pod-security.kubernetes.io/warn': 'restricted',
    },
  },
});

/** Exactly what the lease pays for, and nothing beside it. */
const quota = (lease: LeaseTerms, { nodes }: ObjectOptions): Record<string, string> => {
  const { cpuMillis, memoryMiB, storageMiB } = groupTotals(lease.group);
  const { services } = lease.group;
  const pods = services.reduce((sum, service) => sum + service.replicas, 0);
  let persistentMiB = 0;
  let claims = 0;
  for (const { replicas, resources } of services) {
    for (const volume of resources.volumes) {
      if (volume.kind !== 'persistent') continue;
      persistentMiB += replicas * volume.sizeMiB;
      claims += replicas;
    }
  }
  return {
    'requests.cpu': `${cpuMillis}m`,
    'limits.cpu': `${cpuMillis}m`,
    'requests.memory': `${memoryMiB}Mi`,
    'limits.memory': `${memoryMiB}Mi`,
    'requests.ephemeral-storage': `${storageMiB - persistentMiB}Mi`,
    'limits.ephemeral-storage': `${storageMiB - persistentMiB}Mi`,
    'requests.storage': `${persistentMiB}Mi`,
    persistentvolumeclaims: `${claims}`,
    ...Object.fromEntries(
      [...gpuTotals(lease, nodes)].map(([resource, count]) => [`requests.${resource}`, `${count}`]),
    ),
    pods: `${pods}`,
    'services.loadbalancers': '0',
  };
};

/** What one container may take at most, and what one that says nothing gets. */
const limits = (lease: LeaseTerms): Record<string, unknown> => {
  const cpuMillis = Math.max(...lease.group.services.map(({ resources }) => resources.cpuMillis));
  const memoryMiB = Math.max(...lease.group.services.map(({ resources }) => resources.memoryMiB));
  const small = { cpu: `${Math.min(100, cpuMillis)}m`, memory: `${Math.min(64, memoryMiB)}Mi` };
  return {
    type: 'Container',
    max: { cpu: `${cpuMillis}m`, memory: `${memoryMiB}Mi` },
    default: small,
    defaultRequest: small,
  };
};

export const limitObjects = (lease: LeaseTerms, options: ObjectOptions): KubernetesObject[] => {
  const wrap = wrapper(lease, options);
  return [
    wrap({ apiVersion: 'v1', kind: 'ResourceQuota' }, 'lease', { spec: { hard: quota(lease, options) } }),
    wrap({ apiVersion: 'v1', kind: 'LimitRange' }, 'lease', { spec: { limits: [limits(lease)] } }),
  ];
};
