import type { Instant, LeaseId } from '@gridbourse/kernel';

/** What the orchestrator records of a lease beside its workload. */
export type LeaseSecretsErased = {
  /** Nothing will be started for the lease any more: its sealed secrets are kept nowhere here. */
  readonly type: 'LeaseSecretsErased';
  readonly leaseId: LeaseId;
  readonly atMs: Instant;
};
