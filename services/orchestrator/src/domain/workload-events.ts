import type { CloseReason, StartFailure, WorkloadEvent } from '@gridbourse/events';
import type { Instant, LeaseId } from '@gridbourse/kernel';

/** What the orchestrator records for itself beside the published events. */
export type PrivateWorkloadEvent =
  /** Pods exist; whether they wait for a machine or for their image. */
  | { readonly type: 'WorkloadStarting'; leaseId: LeaseId; phase: 'pending' | 'pulling'; atMs: Instant }
  /** Something keeps it from running. The deadline of the cause counts from here; a null cause ends the trouble. */
  | {
      readonly type: 'WorkloadTroubled';
      leaseId: LeaseId;
      cause: StartFailure | null;
      message: string;
      atMs: Instant;
    }
  /** A stretch of healthy time begins. The incarnation names the very containers that run in it. */
  | { readonly type: 'MeterOpened'; leaseId: LeaseId; sinceMs: Instant; incarnation: string }
  /** The lease ends: from now on the workload is wanted absent. Nothing after `atMs` is billed. */
  | {
      readonly type: 'WorkloadUnwanted';
      leaseId: LeaseId;
      reason: CloseReason | 'lapsed';
      atMs: Instant;
    };

export type OrchestratorEvent = WorkloadEvent | PrivateWorkloadEvent;
