import type { OfferGpu } from '@gridbourse/events';
import type { AccountId, LeaseId, OfferId, OrderId, ProviderId } from '@gridbourse/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { type Lease, termOf } from '../domain/lease.ts';
import { integer, micros } from './column-types.ts';

/** Which replicas of a divided group a lease has. */
export type LeasePart = {
  readonly number: number;
  readonly of: number;
  readonly services: readonly {
    readonly service: string;
    readonly firstReplica: number;
    readonly replicas: number;
    readonly ofReplicas: number;
  }[];
};

/** A lease as it is now. */
@Entity('leases')
export class LeaseEntity {
  @PrimaryColumn({ name: 'lease_id', type: 'text' }) leaseId!: LeaseId;
  @Column({ name: 'order_id', type: 'text' }) orderId!: OrderId;
  @Column({ name: 'account_id', type: 'text' }) accountId!: AccountId;
  @Column({ type: 'int' }) version!: number;
  @Column({ name: 'group_name', type: 'text' }) groupName!: string;
  @Column({ type: 'jsonb', nullable: true }) part!: LeasePart | null;
  @Column({ name: 'provider_id', type: 'text' }) providerId!: ProviderId;
  @Column({ name: 'offer_id', type: 'text' }) offerId!: OfferId;
  @Column({ type: 'jsonb', nullable: true }) gpu!: OfferGpu | null;
  @Column({ name: 'chain_lease_key', type: 'text', nullable: true }) chainLeaseKey!: string | null;
  @Column({ type: 'text' }) state!: Lease['state'];
  @Column({ name: 'close_reason', type: 'text', nullable: true }) closeReason!: string | null;
  @Column({ name: 'close_detail', type: 'text', nullable: true }) closeDetail!: string | null;
  @Column({ name: 'rate_micros', type: 'bigint', transformer: micros }) rateMicros!: bigint;
  @Column({ name: 'list_rate_micros', type: 'bigint', nullable: true, transformer: micros }) listRateMicros!:
    bigint | null;
  @Column({ name: 'duration_seconds', type: 'bigint', transformer: integer }) durationSeconds!: number;
  @Column({ name: 'lock_micros', type: 'bigint', transformer: micros }) lockMicros!: bigint;
  @Column({ name: 'proposed_at_ms', type: 'bigint', transformer: integer }) proposedAtMs!: number;
  @Column({ name: 'accept_by_ms', type: 'bigint', transformer: integer }) acceptByMs!: number;
  @Column({ name: 'funded_at_ms', type: 'bigint', nullable: true, transformer: integer }) fundedAtMs!:
    number | null;
  @Column({ name: 'running_since_ms', type: 'bigint', nullable: true, transformer: integer })
  runningSinceMs!: number | null;
  @Column({ name: 'closed_at_ms', type: 'bigint', nullable: true, transformer: integer }) closedAtMs!:
    number | null;
  @Column({ name: 'paid_micros', type: 'bigint', nullable: true, transformer: micros }) paidMicros!:
    bigint | null;
  @Column({ name: 'refunded_micros', type: 'bigint', nullable: true, transformer: micros }) refundedMicros!:
    bigint | null;
  @Column({ name: 'capacity_released', type: 'boolean' }) capacityReleased!: boolean;
}

/** The part of a group with how many replicas of each service it has; null for a whole group. */
export const partOf = ({ part, group }: Pick<Lease, 'part' | 'group'>): LeasePart | null =>
  part && {
    ...part,
    services: part.services.map(({ service, firstReplica, ofReplicas }) => ({
      service,
      firstReplica,
      replicas: group.services.find(({ name }) => name === service)?.replicas ?? 0,
      ofReplicas,
    })),
  };

/** Oldest first; of one match by group, and the parts of a group by their number. */
export const inOrder = (leases: readonly LeaseEntity[]): LeaseEntity[] =>
  [...leases].sort(
    (a, b) =>
      a.proposedAtMs - b.proposedAtMs ||
      (a.groupName === b.groupName
        ? (a.part?.number ?? 0) - (b.part?.number ?? 0)
        : a.groupName < b.groupName
          ? -1
          : 1),
  );

export const leaseRow = (lease: Lease): LeaseEntity => ({
  leaseId: lease.leaseId,
  orderId: lease.orderId,
  accountId: lease.accountId,
  version: lease.version,
  groupName: lease.group.name,
  part: partOf(lease),
  providerId: lease.providerId,
  offerId: lease.offerId,
  gpu: lease.gpu,
  chainLeaseKey: lease.chainLeaseKey,
  state: lease.state,
  closeReason: lease.endReason,
  closeDetail: lease.endDetail,
  rateMicros: lease.rateMicrosPerHour,
  listRateMicros: lease.listRateMicrosPerHour,
  ...termOf(lease),
  proposedAtMs: lease.proposedAtMs,
  acceptByMs: lease.acceptByMs,
  fundedAtMs: lease.fundedAtMs,
  runningSinceMs: lease.runningSinceMs,
  closedAtMs: lease.closedAtMs,
  paidMicros: lease.paidMicros,
  refundedMicros: lease.refundedMicros,
  capacityReleased: lease.capacityReleased,
});
