import type { OfferGpu, OfferNode, OfferPublished } from '@gridbourse/events';
import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import type { OfferPolicy } from '../domain/offer-content.ts';
import { money, safeInteger } from './columns.ts';
import { ProviderEntity } from './provider.entity.ts';

@Entity('offers')
export class OfferEntity {
  @PrimaryColumn({ name: 'offer_id', type: 'text' })
  offerId!: string;

  @Column({ name: 'provider_id', type: 'text' })
  providerId!: string;

  @ManyToOne(() => ProviderEntity)
  @JoinColumn({ name: 'provider_id' })
  provider!: Relation<ProviderEntity>;

  @Column({ type: 'int' })
  revision!: number;

  @Column({ name: 'gpu_model', type: 'text', nullable: true })
  gpuModel!: string | null;

  @Column({ type: 'jsonb', nullable: true })
  gpu!: OfferGpu | null;

  /** What can be sold of each machine now. */
  @Column({ type: 'jsonb' })
  nodes!: OfferNode[];

  @Column({ name: 'node_count', type: 'int' })
  nodeCount!: number;

  @Column({ name: 'gpus_total', type: 'int' })
  gpusTotal!: number;

  @Column({ name: 'per_gpu_micros', type: 'bigint', transformer: money })
  perGpuMicros!: bigint;

  @Column({ name: 'per_cpu_core_micros', type: 'bigint', transformer: money })
  perCpuCoreMicros!: bigint;

  @Column({ name: 'per_memory_gib_micros', type: 'bigint', transformer: money })
  perMemoryGiBMicros!: bigint;

  @Column({ name: 'per_storage_gib_micros', type: 'bigint', transformer: money })
  perStorageGiBMicros!: bigint;

  @Column({ type: 'jsonb' })
  policy!: OfferPolicy;

  @Column({ name: 'storage_classes', type: 'text', array: true })
  storageClasses!: string[];

  @Column({ type: 'text' })
  interconnect!: OfferPublished['interconnect'];

  @Column({ type: 'boolean' })
  withdrawn!: boolean;

  @Column({ name: 'published_at_ms', type: 'bigint', transformer: safeInteger })
  publishedAtMs!: number;
}
