import type { SealedBox } from '@gridbourse/events';
import type { ProviderId } from '@gridbourse/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintNumber } from './bigint-number.ts';

/** A provider's cluster, with its kubeconfig as it was sealed. */
@Entity('clusters')
export class ClusterEntity {
  @PrimaryColumn({ name: 'provider_id', type: 'text' })
  providerId!: ProviderId;

  @Column({ name: 'api_server', type: 'text' })
  apiServer!: string;

  @Column({ type: 'jsonb' })
  kubeconfig!: SealedBox;

  @Column({ name: 'attached_at_ms', type: 'bigint', transformer: bigintNumber })
  attachedAtMs!: number;

  /** Since the registry gave the provider up as lost; null while it is not. */
  @Column({ name: 'offline_since_ms', type: 'bigint', nullable: true, transformer: bigintNumber })
  offlineSinceMs!: number | null;
}
