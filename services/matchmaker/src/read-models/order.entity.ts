import { auctionResult, type Explanation } from '@gridbourse/events';
import type { AccountId, OrderId } from '@gridbourse/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { z } from 'zod';
import type { Order } from '../domain/order.ts';
import type { OrderWarning } from '../domain/private-events.ts';
import { integer, micros } from './column-types.ts';

/** An order as it is now. */
@Entity('orders')
export class OrderEntity {
  @PrimaryColumn({ name: 'order_id', type: 'text' }) orderId!: OrderId;
  @Column({ name: 'account_id', type: 'text' }) accountId!: AccountId;
  @Column({ type: 'int' }) version!: number;
  @Column({ type: 'text' }) state!: Order['state'];
  @Column({ type: 'text' }) name!: string;
  @Column({ type: 'text' }) run!: 'service' | 'job';
  @Column({ name: 'max_rate_micros', type: 'bigint', transformer: micros }) maxRateMicros!: bigint;
  @Column({ name: 'rate_micros', type: 'bigint', nullable: true, transformer: micros }) rateMicros!:
    bigint | null;
  @Column({ name: 'duration_seconds', type: 'bigint', transformer: integer }) durationSeconds!: number;
  @Column({ name: 'submitted_at_ms', type: 'bigint', transformer: integer }) submittedAtMs!: number;
  @Column({ name: 'expires_at_ms', type: 'bigint', transformer: integer }) expiresAtMs!: number;
  @Column({ name: 'ended_at_ms', type: 'bigint', nullable: true, transformer: integer }) endedAtMs!:
    number | null;
  @Column({ name: 'ended_reason', type: 'text', nullable: true }) endedReason!: string | null;
  @Column({ name: 'ended_detail', type: 'text', nullable: true }) endedDetail!: string | null;
  @Column({ type: 'jsonb', nullable: true }) explanation!: Explanation | null;
  @Column({ type: 'jsonb' }) warnings!: readonly OrderWarning[];
  @Column({ name: 'request_hash', type: 'text' }) requestHash!: string;
  @Column({ type: 'text' }) mode!: Order['mode'];
  @Column({ type: 'text' }) profile!: Order['profile'];
  @Column({ type: 'jsonb', nullable: true }) weights!: Order['weights'];
  @Column({ name: 'workload_class', type: 'text' }) workloadClass!: Order['workloadClass'];
  @Column({ name: 'bidding_closes_at_ms', type: 'bigint', nullable: true, transformer: integer })
  biddingClosesAtMs!: number | null;
  @Column({ type: 'jsonb', nullable: true }) auction!: z.input<typeof auctionResult> | null;
  @Column({ type: 'boolean' }) live!: boolean;
}

/** The row that a folded order gives: projecting is folding, so replaying gives the same rows. */
export const orderRow = (order: Order, live: boolean): OrderEntity => ({
  orderId: order.orderId,
  accountId: order.accountId,
  version: order.version,
  state: order.state,
  name: order.spec.name,
  run: order.spec.run,
  maxRateMicros: order.maxRateMicrosPerHour,
  rateMicros: order.rateMicrosPerHour,
  durationSeconds: order.spec.durationSeconds,
  submittedAtMs: order.submittedAtMs,
  expiresAtMs: order.expiresAtMs,
  endedAtMs: order.endedAtMs,
  endedReason: order.endReason,
  endedDetail: order.endDetail,
  explanation: order.explanation,
  warnings: order.warnings,
  requestHash: order.requestHash,
  mode: order.mode,
  profile: order.profile,
  weights: order.weights,
  workloadClass: order.workloadClass,
  biddingClosesAtMs: order.auction?.closesAtMs ?? null,
  auction: order.auction?.result ? z.encode(auctionResult, order.auction.result) : null,
  live,
});
