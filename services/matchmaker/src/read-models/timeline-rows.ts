import { bigintArray, textArray } from '@gridbourse/postgres';
import type { LeaseId, OrderId } from '@gridbourse/kernel';
import type { EntityManager } from 'typeorm';

export type TimelinePoint = {
  /** Decimal number: items of an order are shown in this order. */
  readonly place: string;
  readonly atMs: number;
};

export type TimelineRow = TimelinePoint & {
  readonly orderId: OrderId;
  readonly leaseId: LeaseId | null;
  readonly type: string;
  readonly text: string;
  readonly data: Record<string, unknown>;
};

const ADD = `
  INSERT INTO timeline (id, at_ms, order_id, lease_id, type, text, data)
  SELECT id, at_ms, order_id, lease_id, type, text, data::jsonb
  FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS item (id, at_ms, order_id, lease_id, type, text, data)`;
const ORDERS = 'SELECT lease_id, order_id FROM leases WHERE lease_id = ANY($1)';

/** One statement however many items. */
export const addToTimeline = async (manager: EntityManager, rows: readonly TimelineRow[]): Promise<void> => {
  if (rows.length === 0) return;
  await manager.query(ADD, [
    bigintArray(rows.map(({ place }) => BigInt(place))),
    bigintArray(rows.map(({ atMs }) => atMs)),
    textArray(rows.map(({ orderId }) => orderId)),
    textArray(rows.map(({ leaseId }) => leaseId)),
    textArray(rows.map(({ type }) => type)),
    textArray(rows.map(({ text }) => text)),
    textArray(rows.map(({ data }) => JSON.stringify(data))),
  ]);
};

/** Which order each lease belongs to, which never changes. */
export const ordersOfLeases = async (
  manager: EntityManager,
  leaseIds: readonly LeaseId[],
): Promise<ReadonlyMap<LeaseId, OrderId>> => {
  const rows = await manager.query<{ lease_id: LeaseId; order_id: OrderId }[]>(ORDERS, [leaseIds]);
  return new Map(rows.map((row) => [row.lease_id, row.order_id]));
};
