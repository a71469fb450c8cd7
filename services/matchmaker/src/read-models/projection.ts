import type { LeaseId } from '@gridbourse/kernel';
import type { EntityManager } from 'typeorm';
import type { EscrowBalance } from '../domain/process/exchange.ts';
import type { MarketChange } from '../domain/market.ts';
import type { Outcome } from '../domain/process/unit-of-work.ts';
import { LeaseEntity, leaseRow } from './lease.entity.ts';
import { EscrowBalanceEntity, OfferEntity, offerRow, ProviderEntity } from './market.entities.ts';
import { OrderEntity, orderRow } from './order.entity.ts';
import { type LifeEvent, timelineItem } from './timeline-text.ts';
import { upsertRows } from './upsert-rows.ts';

/** A decision's outcome, and when it was taken. */
export type Decided = { readonly outcome: Outcome; readonly atMs: number };

/** Of each order or lease only the last state counts. */
const lastOf = <Id, Thing>(all: readonly Thing[], idOf: (thing: Thing) => Id): Thing[] => [
  ...new Map(all.map((thing) => [idOf(thing), thing])).values(),
];

/**
 * Writes what decisions changed, in their transaction and in their order; many cost little more than one. Orders before
 * leases: a lease refers to its order.
 */
export const project = async (manager: EntityManager, decided: readonly Decided[]): Promise<void> => {
  const over = new Set(decided.flatMap(({ outcome }) => outcome.retired));
  const orders = lastOf(
    decided.flatMap(({ outcome }) => outcome.orders),
    ({ orderId }) => orderId,
  );
  const leases = lastOf(
    decided.flatMap(({ outcome }) => outcome.leases),
    ({ leaseId }) => leaseId,
  );
  await upsertRows(
    manager,
    OrderEntity,
    orders.map((order) => orderRow(order, !over.has(order.orderId))),
  );
  await upsertRows(manager, LeaseEntity, leases.map(leaseRow));
  if (over.size > 0)
    await manager.query('UPDATE orders SET live = false WHERE order_id = ANY($1)', [[...over]]);
  await addItems(manager, decided);
};

const addItems = async (manager: EntityManager, decided: readonly Decided[]): Promise<void> => {
  const items = decided.flatMap(({ outcome, atMs }) =>
    outcome.emitted.flatMap(({ event, orderId, leaseId }) => {
      const item = timelineItem(event);
      return item ? [{ ...item, order_id: orderId, lease_id: leaseId, at_ms: atMs }] : [];
    }),
  );
  if (items.length > 0) await manager.query(ADD_ITEMS, [JSON.stringify(items)]);
};

const ADD_ITEMS = `
  INSERT INTO timeline (order_id, lease_id, at_ms, type, text, data)
  SELECT order_id, lease_id, at_ms, type, text, data
  FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (order_id text, lease_id text, at_ms bigint, type text, text text, data jsonb))
    WITH ORDINALITY AS item (order_id, lease_id, at_ms, type, text, data, place)
  ORDER BY place`;

const NOTE = `
  INSERT INTO timeline (order_id, lease_id, at_ms, type, text, data)
  SELECT order_id, lease_id, $2, $3, $4, $5 FROM leases WHERE lease_id = $1`;

/** Notes in the timeline what another service said of a lease. */
export const noteLifeEvent = async (
  manager: EntityManager,
  leaseId: LeaseId,
  event: LifeEvent,
  atMs: number,
): Promise<void> => {
  const item = timelineItem(event);
  if (item) await manager.query(NOTE, [leaseId, atMs, item.type, item.text, JSON.stringify(item.data)]);
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
