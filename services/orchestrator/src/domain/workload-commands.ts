import type { CloseReason, StartFailure } from '@gridbourse/events';
import type { Instant, LeaseId, ProviderId } from '@gridbourse/kernel';
import type { Evidence, Trouble } from './evidence.ts';
import type { Endpoint } from './workload.ts';

/** The limits that a decision goes by. Times in milliseconds. */
export type WorkloadPolicy = {
  /** The most that is ever billed. */
  readonly durationSeconds: number;
  /** Usage is recorded in windows of at least this length, and at every change of health. */
  readonly windowMs: number;
  /** How long each cause may keep a workload from its first Running. `deadline` counts from the request. */
  readonly startDeadlinesMs: Readonly<Record<StartFailure, number>>;
  /** How long a workload that ran may stay degraded. */
  readonly degradedDeadlineMs: number;
};

/** The latest instant at which the containers of an incarnation were seen to run. */
export type HealthyProof = { readonly incarnation: string; readonly atMs: Instant };

export type WorkloadCommand =
  /** The lease is funded: the intent goes on record before anything is asked of the cluster. */
  | {
      readonly type: 'RequestWorkload';
      leaseId: LeaseId;
      providerId: ProviderId;
      namespace: string;
      nowMs: Instant;
    }
  | { readonly type: 'ReportApplied'; objects: number; nowMs: Instant }
  /** Applying failed, or the cluster cannot be reached before the first Running; null: that is over. */
  | { readonly type: 'ReportTrouble'; trouble: Trouble | null; nowMs: Instant; policy: WorkloadPolicy }
  | {
      readonly type: 'Observe';
      evidence: Evidence;
      lastProof: HealthyProof | null;
      /** It was last seen not to run at this instant: clusters round the times of starts down to the second. */
      notBeforeMs: Instant;
      endpoints: readonly Endpoint[];
      nowMs: Instant;
      policy: WorkloadPolicy;
    }
  | { readonly type: 'LoseSight'; lastSeenAtMs: Instant; nowMs: Instant }
  /** The cluster answered that the namespace of a workload that ran does not exist, and it was not us. */
  | {
      readonly type: 'ReportVanished';
      lastProof: HealthyProof | null;
      nowMs: Instant;
      policy: WorkloadPolicy;
    }
  | {
      readonly type: 'StopWorkload';
      leaseId: LeaseId;
      reason: CloseReason | 'lapsed';
      atMs: Instant;
      nowMs: Instant;
    }
  /** The last word on usage. Without evidence the meter ends at the last proof. */
  | {
      readonly type: 'CloseMeter';
      evidence: Evidence | null;
      lastProof: HealthyProof | null;
      nowMs: Instant;
      policy: WorkloadPolicy;
    }
  | { readonly type: 'ReportDeletionAsked'; nowMs: Instant }
  /** The cluster answered that the namespace does not exist. */
  | { readonly type: 'ReportAbsent'; everCreated: boolean; nowMs: Instant };
