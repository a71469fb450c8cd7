import type { WorkloadSecrets } from '@gridbourse/events';
import { controllerObjects, needsHeadless } from './controllers.ts';
import { limitObjects, namespaceObject } from './namespace.ts';
import { networkPolicyObjects } from './network-policies.ts';
import type { KubernetesObject, LeaseTerms, ObjectOptions } from './object-types.ts';
import { secretObjects } from './secrets.ts';
import { serviceObjects } from './services.ts';

/**
 * Everything that a lease is in a cluster, in stages: a stage is applied once all of the stage before it is there, so
 * that no pod can start before the rules that bind it.
 */
export type WorkloadObjects = {
  readonly namespace: KubernetesObject;
  /** Limits, network policies, secrets. */
  readonly guards: readonly KubernetesObject[];
  /** Controllers, services, routes. */
  readonly running: readonly KubernetesObject[];
};

/**
 * The objects of a lease. The same arguments give the same objects.
 * @throws DomainError `placement_incomplete`, `gpu_mismatch`
 */
export const workloadObjects = (
  lease: LeaseTerms,
  secrets: WorkloadSecrets | null,
  options: ObjectOptions,
): WorkloadObjects => ({
  namespace: namespaceObject(lease, options),
  guards: [
    ...limitObjects(lease, options),
    ...networkPolicyObjects(lease, options),
    ...secretObjects(lease, secrets, options),
  ],
  running: [
    ...serviceObjects(lease, options, (service) => needsHeadless(lease, service)),
    ...controllerObjects(lease, secrets, options),
  ],
});

export const allObjects = (objects: WorkloadObjects): KubernetesObject[] => [
  objects.namespace,
  ...objects.guards,
  ...objects.running,
];
