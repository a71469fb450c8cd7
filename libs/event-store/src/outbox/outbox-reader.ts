import type { QueryRunner } from 'typeorm';
import type { Cursor } from '../cursor.ts';
import type { Again } from '../single-owner.ts';
import type { OutboxEvent } from './outbox-event.ts';
import type { RecentAppends } from './recent-appends.ts';

type Row = {
  stream_id: string;
  version: string;
  type: string;
  schema_version: number;
  json: string;
  traceparent: string | null;
  occurred_at_ms: string;
  tx: string;
  position: string;
  sequence: string;
  settled: boolean;
};

/**
 * The next public events behind the checkpoint. Those that may still get an event before them come as not settled, so
 * that the relay knows to look again soon; by the order of the index they are the last of the page.
 */
const NEXT = `
  SELECT e.stream_id, e.version, e.type, e.schema_version, e.data::text AS json, e.tx::text AS tx, e.position, e.sequence,
         e.metadata ->> 'traceparent' AS traceparent,
         round(date_part('epoch', e.occurred_at) * 1000)::bigint AS occurred_at_ms,
         e.tx < pg_snapshot_xmin(pg_current_snapshot()) AS settled
  FROM events e
  WHERE e.sequence IS NOT NULL AND (e.tx, e.position) > ($2::xid8, $3::bigint)
  ORDER BY e.tx, e.position LIMIT $1`;

/**
 * How many public events come next under each tx, and how many of them its own transaction has written itself: an event
 * has the tx of the event before it in its stream where that is higher, and what is written under a savepoint has an id
 * of its own.
 */
const NEXT_TRANSACTIONS = `
  SELECT tx::text AS tx, count(*)::int AS events, (count(*) FILTER (WHERE own))::int AS own, max(position) AS position,
         tx < pg_snapshot_xmin(pg_current_snapshot()) AS settled
  FROM (
    SELECT e.tx, e.position, e.xmin = e.tx::xid AS own FROM events e
    WHERE e.sequence IS NOT NULL AND (e.tx, e.position) > ($2::xid8, $3::bigint)
    ORDER BY e.tx, e.position LIMIT $1
  ) AS page
  GROUP BY tx ORDER BY page.tx`;

type TransactionRow = { tx: string; events: number; own: number; position: string; settled: boolean };

/** So many events are counted at once, to be taken from memory. */
const COUNTED_AT_ONCE = 10_000;

export type OutboxPage = {
  readonly events: readonly OutboxEvent[];
  /** Where the last of them stands; null when there are none. */
  readonly last: Cursor | null;
  readonly again: Again;
};

/** The public events behind a place, from memory where all of a transaction are there, otherwise up to `limit` of them. */
export const nextOutboxPage = async (
  runner: QueryRunner,
  { after, limit, recent }: { after: Cursor; limit: number; recent: RecentAppends | undefined },
): Promise<OutboxPage> =>
  (recent && !recent.empty && (await fromMemory(runner, after, recent))) || fromTable(runner, after, limit);

const fromMemory = async (
  runner: QueryRunner,
  { tx, position }: Cursor,
  recent: RecentAppends,
): Promise<OutboxPage | null> => {
  const counted = (await runner.query(NEXT_TRANSACTIONS, [
    COUNTED_AT_ONCE,
    tx,
    position,
  ])) as TransactionRow[];
  const full = counted.reduce((sum, { events }) => sum + events, 0) === COUNTED_AT_ONCE;
  const events: OutboxEvent[] = [];
  let last: Cursor | null = null;
  // Of the last one of a full page there may be more.
  for (const next of full ? counted.slice(0, -1) : counted) {
    if (!next.settled || next.own !== next.events) break;
    const known = recent.take(next.tx, next.events);
    if (!known) break;
    for (const event of known) events.push(event);
    last = { tx: next.tx, position: next.position };
  }
  return last && { events, last, again: 'now' };
};

const fromTable = async (
  runner: QueryRunner,
  { tx, position }: Cursor,
  limit: number,
): Promise<OutboxPage> => {
  const rows = (await runner.query(NEXT, [limit, tx, position])) as Row[];
  const end = rows.findIndex((row) => !row.settled);
  const settled = end === -1 ? rows : rows.slice(0, end);
  const last = settled.at(-1);
  const place = last ? { tx: last.tx, position: last.position } : null;
  const events = settled.map(eventOf);
  // Whoever made progress looks at once: the transactions that were waited for may have ended meanwhile.
  if (end !== -1) return { events, last: place, again: last ? 'now' : 'soon' };
  return { events, last: place, again: rows.length === limit ? 'now' : 'later' };
};

const eventOf = (row: Row): OutboxEvent => ({
  streamId: row.stream_id,
  version: row.version,
  type: row.type,
  schemaVersion: row.schema_version,
  json: row.json,
  traceparent: row.traceparent,
  occurredAtMs: Number(row.occurred_at_ms),
  sequence: row.sequence,
});
