import type { AccountId, LeaseId, ProviderId } from '@gridbourse/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { isOver, type WorkloadState } from '../domain/workload.ts';
import { bigintNumber } from './bigint-number.ts';

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
}

/** The row of a folded workload. */
export const workloadRow = (workload: {
  readonly leaseId: LeaseId;
  readonly providerId: ProviderId;
  readonly accountId: AccountId;
  readonly version: number;
  readonly state: WorkloadState;
}): WorkloadEntity => {
  const { leaseId, providerId, accountId, version, state } = workload;
  return {
    ...{ leaseId, providerId, accountId, version, state },
    desired: state.desired,
    observed: state.observed,
    isOver: isOver(state),
  };
};
