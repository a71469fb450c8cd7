import type { AccountId, BidId, LeaseId, OfferId, OrderId, ProviderId } from '@gridbourse/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { type Bid, type BidState, bidStateOf } from '../domain/auction.ts';
import { isEnded, type Order } from '../domain/order.ts';
import type { Verdict } from '../domain/private-events.ts';
import { integer, micros } from './column-types.ts';

/** A bid as it is now. */
@Entity('bids')
export class BidEntity {
  @PrimaryColumn({ name: 'bid_id', type: 'text' }) bidId!: BidId;
  @Column({ name: 'order_id', type: 'text' }) orderId!: OrderId;
  /** Whose order it is, not whose bid. */
  @Column({ name: 'account_id', type: 'text' }) accountId!: AccountId;
  @Column({ name: 'group_name', type: 'text' }) groupName!: string;
  @Column({ name: 'provider_id', type: 'text' }) providerId!: ProviderId;
  @Column({ name: 'offer_id', type: 'text' }) offerId!: OfferId;
  @Column({ name: 'rate_micros', type: 'bigint', transformer: micros }) rateMicros!: bigint;
  @Column({ type: 'int' }) revision!: number;
  @Column({ name: 'placed_at_ms', type: 'bigint', transformer: integer }) placedAtMs!: number;
  @Column({ name: 'valid_until_ms', type: 'bigint', transformer: integer }) validUntilMs!: number;
  @Column({ type: 'text' }) state!: BidState;
  @Column({ type: 'double precision', nullable: true }) score!: number | null;
  @Column({ type: 'jsonb' }) failed!: Verdict['failed'];
  @Column({ name: 'lease_id', type: 'text', nullable: true }) leaseId!: LeaseId | null;
}

const bidRow = (order: Order, bid: Bid): BidEntity => ({
  bidId: bid.bidId,
  orderId: order.orderId,
  accountId: order.accountId,
  groupName: bid.group,
  providerId: bid.providerId,
  offerId: bid.offerId,
  rateMicros: bid.rateMicrosPerHour,
  revision: bid.revision,
  placedAtMs: bid.placedAtMs,
  validUntilMs: bid.validUntilMs,
  state: bidStateOf(bid, isEnded(order.state)),
  score: bid.verdict?.score ?? null,
  failed: bid.verdict?.failed ?? [],
  leaseId: bid.leaseId,
});

/** Winners last: the winner of before makes room for the next, and at no moment are there two. */
export const bidRows = (order: Order, which: (bid: Bid) => boolean = () => true): BidEntity[] => {
  const rows = (order.auction?.bids ?? []).filter(which).map((bid) => bidRow(order, bid));
  return [...rows.filter(({ state }) => state !== 'won'), ...rows.filter(({ state }) => state === 'won')];
};
