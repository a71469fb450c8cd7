import type { AccountId, LeaseId, ProviderId } from '@gridbourse/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { WorkloadState } from '../domain/workload.ts';
import { bigintNumber } from './bigint-number.ts';

export type ServiceReplicas = { readonly name: string; readonly replicas: number; readonly ready: number };

/** The fold of a workload's stream, for deciding without reading the whole stream and for showing. */
@Entity('workloads')
export class WorkloadEntity {
  @PrimaryColumn({ name: 'lease_id', type: 'text' })
  leaseId!: LeaseId;

  @Column({ name: 'provider_id', type: 'text' })
  providerId!: ProviderId;

  @Column({ name: 'account_id', type: 'text' })
  accountId!: AccountId;

  /** Events in the stream. */
  @Column({ type: 'bigint', transformer: bigintNumber })
  version!: number;

  @Column({ type: 'jsonb' })
  state!: WorkloadState;

  @Column({ type: 'text' })
  desired!: WorkloadState['desired'];

  @Column({ type: 'text' })
  observed!: WorkloadState['observed'];

  @Column({ name: 'is_over', type: 'boolean' })
  isOver!: boolean;

  @Column({ type: 'jsonb' })
  services!: readonly ServiceReplicas[];

  @Column({ name: 'last_seen_ms', type: 'bigint', nullable: true, transformer: bigintNumber })
  lastSeenMs!: number | null;

  @Column({ name: 'updated_at_ms', type: 'bigint', transformer: bigintNumber })
  updatedAtMs!: number;
}
