import type { ServiceSpec, WorkloadSecrets } from '@gridbourse/events';
import { conflict } from '@gridbourse/kernel';
import { LABEL_SERVICE, objectName, wrapper } from './names.ts';
import type { KubernetesObject, LeaseTerms, ObjectOptions } from './object-types.ts';
import { podTemplate } from './pod-template.ts';
import { headlessName } from './services.ts';
import { hasPersistentVolume } from './volumes.ts';

/** What a machine gets of a service, and how many replicas the machines before it have. */
type OnNode = { readonly node: string; readonly replicas: number; readonly before: number };

/** How many replicas of a service each machine gets, in the order in which the machines first appear. */
const replicasByNode = (lease: LeaseTerms, service: ServiceSpec): OnNode[] => {
  const byNode = new Map<string, number>();
  for (const placement of lease.placements) {
    if (placement.service !== service.name) continue;
    byNode.set(placement.node, (byNode.get(placement.node) ?? 0) + 1);
  }
  const placed = [...byNode.values()].reduce((sum, count) => sum + count, 0);
  if (placed !== service.replicas) {
    throw conflict(
      'placement_incomplete',
      `${placed} of ${service.replicas} replicas of ${service.name} have a machine`,
    );
  }
  let before = 0;
  return [...byNode].map(([node, replicas]) => {
    const here = { node, replicas, before };
    before += replicas;
    return here;
  });
};

const isStateful = (lease: LeaseTerms, service: ServiceSpec): boolean =>
  lease.run === 'service' && hasPersistentVolume(service);

/** The selector of a service's pods, over all machines. */
export const needsHeadless = (lease: LeaseTerms, service: ServiceSpec): boolean =>
  isStateful(lease, service) || (lease.run === 'job' && service.replicas > 1);

const controllerOf = (
  lease: LeaseTerms,
  service: ServiceSpec,
  secrets: WorkloadSecrets | null,
  options: ObjectOptions,
  placed: OnNode & { readonly name: string },
): KubernetesObject => {
  const wrap = wrapper(lease, options);
  const { node, replicas, before, name } = placed;
  const claims = isStateful(lease, service);
  const pod = podTemplate(lease, service, secrets, options, { node, before, controller: name, claims });
  const labels = { [LABEL_SERVICE]: service.name };
  const { template } = pod;
  const selector = { matchLabels: { 'gridbourse.dev/controller': name, [LABEL_SERVICE]: service.name } };
  if (lease.run === 'job') {
    const spec = {
      parallelism: replicas,
      completions: replicas,
      completionMode: 'Indexed',
      // A session starts with its task and ends with it: a task that failed is not run again at the tenant's cost.
      backoffLimit: 0,
      template: needsHeadless(lease, service)
        ? { ...template, spec: { ...(template['spec'] as object), subdomain: headlessName(service.name) } }
        : template,
    };
    return wrap({ apiVersion: 'batch/v1', kind: 'Job' }, name, { spec }, labels);
  }
  if (claims) {
    const spec = {
      replicas,
      serviceName: headlessName(service.name),
      podManagementPolicy: 'Parallel',
      selector,
      template,
      volumeClaimTemplates: pod.claimTemplates,
    };
    return wrap({ apiVersion: 'apps/v1', kind: 'StatefulSet' }, name, { spec }, labels);
  }
  // Recreate: a surge would need GPUs that nobody pays for.
  const spec = { replicas, revisionHistoryLimit: 1, strategy: { type: 'Recreate' }, selector, template };
  return wrap({ apiVersion: 'apps/v1', kind: 'Deployment' }, name, { spec }, labels);
};

/**
 * One controller for each machine that a service was placed on: no scheduler can then spread replicas other than the
 * capacity book has them.
 * @throws DomainError `placement_incomplete`, `gpu_mismatch`
 */
export const controllerObjects = (
  lease: LeaseTerms,
  secrets: WorkloadSecrets | null,
  options: ObjectOptions,
): KubernetesObject[] =>
  lease.group.services.flatMap((service) =>
    replicasByNode(lease, service).map((onNode, index) => {
      const name = objectName(service.name, index === 0 ? '' : `--${index}`);
      return controllerOf(lease, service, secrets, options, { ...onNode, name });
    }),
  );
