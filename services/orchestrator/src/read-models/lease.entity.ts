import type { AccountId, LeaseId, ProviderId } from '@gridbourse/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintNumber } from './bigint-number.ts';

/** A lease as far as running it needs: the proposal, in the form in which it was published. */
@Entity('leases')
export class LeaseEntity {
  @PrimaryColumn({ name: 'lease_id', type: 'text' })
  leaseId!: LeaseId;

  @Column({ name: 'account_id', type: 'text' })
  accountId!: AccountId;

  @Column({ name: 'provider_id', type: 'text' })
  providerId!: ProviderId;

  @Column({ type: 'jsonb' })
  proposal!: unknown;

  /** The version of the published language that the proposal is in. */
  @Column({ name: 'proposal_version', type: 'int' })
  proposalVersion!: number;

  @Column({ name: 'duration_seconds', type: 'bigint', transformer: bigintNumber })
  durationSeconds!: number;

  @Column({ name: 'funded_at_ms', type: 'bigint', nullable: true, transformer: bigintNumber })
  fundedAtMs!: number | null;

  /** When its sealed secrets were erased. */
  @Column({ name: 'erased_at_ms', type: 'bigint', nullable: true, transformer: bigintNumber })
  erasedAtMs!: number | null;
}
