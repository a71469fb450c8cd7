import type { LeaseId } from '@gridbourse/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintNumber } from './bigint-number.ts';

export type ServiceReplicas = { readonly name: string; readonly replicas: number; readonly ready: number };

/** What the cluster last showed of a workload. It comes back with the next look, and nothing is decided upon it. */
@Entity('workload_sightings')
export class WorkloadSightingEntity {
  @PrimaryColumn({ name: 'lease_id', type: 'text' })
  leaseId!: LeaseId;

  @Column({ type: 'jsonb' })
  services!: readonly ServiceReplicas[];

  @Column({ name: 'last_seen_ms', type: 'bigint', transformer: bigintNumber })
  lastSeenMs!: number;
}
