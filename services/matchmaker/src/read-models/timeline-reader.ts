import { EventStore } from '@gridbourse/event-store';
import type { LeaseId, OrderId } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { timelineItem, timelineTypes, type LifeEvent } from './timeline-text.ts';

/** One thing that happened to an order or to a lease of it. */
export type TimelineItem = {
  /** Decimal number: grows in the order of commits (`TimelinePlaces`). */
  readonly id: string;
  readonly leaseId: LeaseId | null;
  readonly atMs: number;
  readonly type: string;
  readonly text: string;
  readonly data: Record<string, unknown>;
};

type Row = {
  id: string;
  subject: LeaseId | OrderId;
  at_ms: string;
  type: string;
  /** Of an event of our own; null for a row of the table. */
  schema_version: number | null;
  text: string | null;
  data: Record<string, unknown>;
};

/**
 * What this service decided, from its events, and what it heard, from its table. One statement, so one snapshot: a reader
 * that goes on behind the last item would lose one that is committed between two of them.
 */
const BEHIND = `
  SELECT id, subject, at_ms, type, schema_version, text, data FROM (
    SELECT (e.metadata #>> ARRAY['timeline', 'places',
              (e.version - (e.metadata #>> '{timeline,firstVersion}')::bigint)::text])::bigint AS id,
           e.stream_id AS subject, (e.metadata #>> '{timeline,atMs}')::bigint AS at_ms, e.type, e.schema_version,
           NULL AS text, e.data
    FROM events e
    WHERE e.stream_id = ANY (ARRAY(SELECT l.lease_id FROM leases l WHERE l.order_id = $1) || $1::text)
      AND e.type = ANY ($4::text[])
    UNION ALL
    SELECT t.id, coalesce(t.lease_id, t.order_id), t.at_ms, t.type, NULL, t.text, t.data::json
    FROM timeline t WHERE t.order_id = $1 AND t.id > $2::bigint
  ) AS item
  WHERE id > $2::bigint
  ORDER BY id LIMIT $3`;

/** Timelines of orders. Of this service's own events no row is kept: an order costs none until somebody looks. */
@Injectable()
export class TimelineReader {
  constructor(
    private readonly dataSource: DataSource,
    private readonly store: EventStore,
  ) {}

  /**
   * Items behind an id, oldest first.
   * @param limit rows at most; an item that a release before has also written as a row counts twice and comes once
   */
  async behind(orderId: OrderId, afterId: string, limit: number): Promise<TimelineItem[]> {
    const rows = await this.dataSource.query<Row[]>(BEHIND, [orderId, afterId, limit, timelineTypes]);
    const items = new Map<string, TimelineItem>();
    for (const row of rows) {
      const shown = row.schema_version === null ? { text: row.text!, data: row.data } : this.told(row);
      items.set(row.id, {
        id: row.id,
        leaseId: row.subject === orderId ? null : (row.subject as LeaseId),
        atMs: Number(row.at_ms),
        type: row.type,
        text: shown.text,
        data: shown.data,
      });
    }
    return [...items.values()];
  }

  private told({ type, schema_version, data }: Row): { text: string; data: Record<string, unknown> } {
    const event = this.store.catalogue.decode({ type, schemaVersion: schema_version!, data });
    return timelineItem(event as LifeEvent)!;
  }
}
