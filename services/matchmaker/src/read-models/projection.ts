import type { LeaseId } from '@gridbourse/kernel';
import type { EntityManager } from 'typeorm';
import type { EscrowBalance } from '../domain/process/exchange.ts';
import type { MarketChange } from '../domain/market.ts';
import type { Order } from '../domain/order.ts';
import type { Outcome } from '../domain/process/unit-of-work.ts';
import { BidEntity, bidRows } from './bid.entity.ts';
import { LeaseEntity, leaseRow } from './lease.entity.ts';
import { EscrowBalanceEntity, OfferEntity, offerRow, ProviderEntity } from './market.entities.ts';
import { OrderEntity, orderRow } from './order.entity.ts';
import { addToTimeline, ordersOfLeases, type TimelinePoint } from './timeline-rows.ts';
import { type LifeEvent, timelineItem } from './timeline-text.ts';
import { putRows } from './put-rows.ts';

export type { TimelinePoint } from './timeline-rows.ts';

/** Of each order or lease only the last state counts. */
const lastOf = <Id, Thing>(all: readonly Thing[], idOf: (thing: Thing) => Id): Thing[] => [
  ...new Map(all.map((thing) => [idOf(thing), thing])).values(),
];

/** Orders and leases whose first event is among these: they have no row yet. */
const streamsBegun = (outcomes: readonly Outcome[]): ReadonlySet<string> => {
  const begun = new Set<string>();
  for (const { appends } of outcomes)
    for (const { streamId, expectedVersion } of appends) if (expectedVersion === 0) begun.add(streamId);
  return begun;
};

/**
 * Writes what decisions changed, in their transaction and in their order; many cost little more than one. Orders before
 * leases: a lease refers to its order. What they add to timelines is read from their events (`TimelineReader`).
 */
export const project = async (manager: EntityManager, outcomes: readonly Outcome[]): Promise<void> => {
  const over = new Set(outcomes.flatMap(({ retired }) => retired));
  const orders = lastOf(
    outcomes.flatMap((outcome) => outcome.orders),
    ({ orderId }) => orderId,
  );
  const leases = lastOf(
    outcomes.flatMap((outcome) => outcome.leases),
    ({ leaseId }) => leaseId,
  );
  const begun = streamsBegun(outcomes);
  const orderRows = orders.map((order) => orderRow(order, !over.has(order.orderId)));
  await putRows(manager, OrderEntity, orderRows, ({ orderId }) => begun.has(orderId));
  await putRows(manager, LeaseEntity, leases.map(leaseRow), ({ leaseId }) => begun.has(leaseId));
  await saveBids(manager, outcomes, orders);
  if (over.size > 0)
    await manager.query('UPDATE orders SET live = false WHERE order_id = ANY($1)', [[...over]]);
};

/** One statement may carry so many rows: Postgres takes 65,535 parameters. */
const BIDS_AT_ONCE = 1_000;

/** A bid that was placed is written alone; whatever else befalls its order may change all of them. */
const saveBids = async (
  manager: EntityManager,
  outcomes: readonly Outcome[],
  orders: readonly Order[],
): Promise<void> => {
  const auctioned = orders.filter(({ auction }) => auction !== null);
  if (auctioned.length === 0) return;
  const emitted = outcomes.flatMap((outcome) => outcome.emitted);
  const placed = new Set(emitted.flatMap(({ event }) => (event.type === 'BidPlaced' ? [event.bidId] : [])));
  const moved = new Set(
    emitted.flatMap(({ event, orderId, leaseId }) =>
      leaseId === null && event.type !== 'BidPlaced' ? [orderId] : [],
    ),
  );
  const rows = auctioned.flatMap((order) =>
    bidRows(order, ({ bidId }) => moved.has(order.orderId) || placed.has(bidId)),
  );
  for (let from = 0; from < rows.length; from += BIDS_AT_ONCE) {
    await manager.upsert(BidEntity, rows.slice(from, from + BIDS_AT_ONCE), ['bidId']);
  }
};

/** Notes in the timeline what another service said of a lease. */
export const noteLifeEvent = async (
  manager: EntityManager,
  leaseId: LeaseId,
  event: LifeEvent,
  at: TimelinePoint,
): Promise<void> => {
  const item = timelineItem(event);
  if (!item) return;
  const orderId = (await ordersOfLeases(manager, [leaseId])).get(leaseId);
  if (orderId !== undefined) await addToTimeline(manager, [{ ...item, ...at, orderId, leaseId }]);
};

export const saveMarketChange = async (manager: EntityManager, change: MarketChange): Promise<void> => {
  await manager.upsert(ProviderEntity, { ...change.provider }, ['providerId']);
  if (change.offer) await manager.upsert(OfferEntity, offerRow(change.offer), ['offerId']);
};

export const saveBalance = async (
  manager: EntityManager,
  accountId: EscrowBalanceEntity['accountId'],
  balance: EscrowBalance,
): Promise<void> => {
  await manager.upsert(EscrowBalanceEntity, { accountId, ...balance }, ['accountId']);
};
