import type { Money } from './common.ts';
import type { OfferedGpu } from './market.ts';

export type LeaseState =
  'proposed' | 'accepted' | 'funded' | 'active' | 'closing' | 'closed' | 'rejected' | 'lapsed';

/** Which replicas of a divided group a lease has. */
export type LeasePart = {
  number: number;
  of: number;
  services: {
    service: string;
    /** Its replicas are numbered from here on, in the whole group and from 0. */
    firstReplica: number;
    replicas: number;
    /** In all parts together. */
    ofReplicas: number;
  }[];
};

export type Lease = {
  leaseId: string;
  orderId: string;
  group: string;
  /** Null: the whole group. */
  part: LeasePart | null;
  providerId: string;
  offerId: string;
  /** Null for plain CPU machines, and where it is not known. */
  gpu: OfferedGpu | null;
  chainLeaseKey: string | null;
  state: LeaseState;
  closeReason: string | null;
  closeDetail: string | null;
  rate: Money;
  listRate: Money | null;
  saving: number | null;
  durationSeconds: number;
  lock: Money;
  proposedAt: string;
  /** The provider must answer by then. */
  acceptBy: string;
  fundedAt: string | null;
  runningSince: string | null;
  closedAt: string | null;
  paid: Money | null;
  refunded: Money | null;
  capacityReleased: boolean;
};
