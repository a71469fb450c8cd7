import type { LeaseId, OrderId } from '@gridbourse/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { integer } from './column-types.ts';

/** One thing that happened to an order or to a lease of it. */
@Entity('timeline')
export class TimelineEntity {
  /** Grows in the order of commits: there is one writer, and it hands them out (`TimelinePlaces`). */
  @PrimaryColumn({ type: 'bigint' }) id!: string;
  @Column({ name: 'order_id', type: 'text' }) orderId!: OrderId;
  @Column({ name: 'lease_id', type: 'text', nullable: true }) leaseId!: LeaseId | null;
  @Column({ name: 'at_ms', type: 'bigint', transformer: integer }) atMs!: number;
  @Column({ type: 'text' }) type!: string;
  @Column({ type: 'text' }) text!: string;
  @Column({ type: 'jsonb' }) data!: Record<string, unknown>;
}
