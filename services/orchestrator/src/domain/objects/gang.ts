import type { ServiceSpec } from '@gridbourse/events';
import type { LeaseTerms } from './object-types.ts';

/** Of a service as the tenant ordered it, and where its replicas in this lease begin. */
const placeOf = ({ part }: LeaseTerms, service: ServiceSpec): { first: number; of: number } => {
  const own = part?.services.find((one) => one.service === service.name);
  return own ? { first: own.firstReplica, of: own.ofReplicas } : { first: 0, of: service.replicas };
};

/**
 * What tells a replica of a gang which one it is, over all machines and all leases of the group: its number is
 * `GRIDBOURSE_FIRST_REPLICA` plus the index that Kubernetes gives it (`JOB_COMPLETION_INDEX`, the ordinal of a StatefulSet).
 * A variable of the tenant's own with such a name stays as it is.
 * @param before replicas of the service that other machines of this lease have, in the order of the machines
 */
export const gangVariables = (
  lease: LeaseTerms,
  service: ServiceSpec,
  before: number,
): { name: string; value: string }[] => {
  const { first, of } = placeOf(lease, service);
  if (of <= 1 || (lease.run !== 'job' && lease.part === null)) return [];
  const variables = {
    GRIDBOURSE_REPLICAS: of,
    GRIDBOURSE_FIRST_REPLICA: first + before,
    GRIDBOURSE_PART: lease.part?.number ?? 1,
    GRIDBOURSE_PARTS: lease.part?.of ?? 1,
  };
  return Object.entries(variables)
    .filter(([name]) => !service.envNames.includes(name))
    .map(([name, value]) => ({ name, value: `${value}` }));
};
