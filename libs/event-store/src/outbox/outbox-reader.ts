import type { QueryRunner } from 'typeorm';
import type { Cursor } from '../cursor.ts';
import type { Again } from '../single-owner.ts';
import type { OutboxEvent } from './outbox-event.ts';
import type { RecentAppends, Run } from './recent-appends.ts';

type Row = {
  stream_id: string;
  version: string;
  type: string;
  schema_version: number;
  json: string | null;
  traceparent: string | null;
  occurred_at_ms: string;
  tx: string;
  position: string;
  /** Null for a private event. */
  sequence: string | null;
  settled: boolean;
};
type PublicRow = Row & { json: string; sequence: string };

/**
 * The next events behind a place, private ones without their content. Those that may still get an event before them come as
 * not settled, so that the relay knows to look again soon; by the order of the index they are the last of the page.
 *
 * There is no index of the public events alone: each event would be put into it only to be read once, by a reader that takes
 * less time to step over a private one.
 */
const NEXT = `
  SELECT e.stream_id, e.version, e.type, e.schema_version, e.tx::text AS tx, e.position, e.sequence,
         CASE WHEN e.sequence IS NOT NULL THEN e.data::text END AS json,
         CASE WHEN e.sequence IS NOT NULL THEN e.metadata ->> 'traceparent' END AS traceparent,
         round(date_part('epoch', e.occurred_at) * 1000)::bigint AS occurred_at_ms,
         e.tx < (SELECT pg_snapshot_xmin(pg_current_snapshot())) AS settled
  FROM events e
  WHERE (e.tx, e.position) > ($2::xid8, $3::bigint)
  ORDER BY e.tx, e.position LIMIT $1`;

/** Which public rows come next up to a tx, all of them settled: how many, for each tx and xmin. */
const NEXT_RUNS = `
  SELECT page.tx::text AS tx, page.xmin::text AS xmin, max(position) AS position, count(*)::int AS events
  FROM (
    SELECT e.tx, e.xmin, e.position FROM events e
    WHERE e.sequence IS NOT NULL AND (e.tx, e.position) > ($2::xid8, $3::bigint) AND e.tx <= $4::xid8
      AND e.tx < (SELECT pg_snapshot_xmin(pg_current_snapshot()))
    ORDER BY e.tx, e.position LIMIT $1
  ) AS page
  GROUP BY page.tx, page.xmin ORDER BY page.tx`;

/** What memory has need not be read: so many times as many events are published at once. */
const PAGES_FROM_MEMORY = 4;

type RunRow = Run & { readonly position: string };

export type OutboxPage = {
  readonly events: readonly OutboxEvent[];
  /** Where the last event stands that was looked at, public or not; null when there was none. */
  readonly last: Cursor | null;
  /** How many were looked at. */
  readonly looked: number;
  readonly again: Again;
};

/**
 * The public ones of up to `limit` events behind a place, or a few times as many where memory has them: whole transactions
 * then.
 */
export const nextOutboxPage = async (
  runner: QueryRunner,
  { after, limit, recent }: { after: Cursor; limit: number; recent: RecentAppends | undefined },
): Promise<OutboxPage> =>
  (recent && !recent.empty && (await fromMemory(runner, { after, limit, recent }))) ||
  fromTable(runner, after, limit);

/** The next events as far as memory has them; null when it lacks the very first. */
const fromMemory = async (
  runner: QueryRunner,
  { after, limit, recent }: { after: Cursor; limit: number; recent: RecentAppends },
): Promise<OutboxPage | null> => {
  const expected = recent.lowest(limit * PAGES_FROM_MEMORY);
  if (!expected) return null;
  // One more than are expected: nothing is left out but what memory cannot tell anyway.
  const parameters = [expected.events + 1, after.tx, after.position, expected.upTo];
  const runs = (await runner.query(NEXT_RUNS, parameters)) as RunRow[];
  const events: OutboxEvent[] = [];
  let last: Cursor | null = null;
  for (const run of wholeTransactions(runs, expected.events)) {
    const known = recent.take(run);
    if (!known) break;
    for (const event of known) events.push(event);
    last = { tx: run.tx, position: run.position };
  }
  return last && { events, last, looked: events.length, again: 'now' };
};

/** Runs that are all of their tx, up to the first tx that has several, or may have more than was counted. */
const wholeTransactions = (runs: readonly RunRow[], expected: number): readonly RunRow[] => {
  const counted = runs.reduce((sum, { events }) => sum + events, 0);
  const cutOff = counted > expected ? runs.at(-1)!.tx : null;
  const end = runs.findIndex(({ tx }, at) => tx === cutOff || tx === runs[at + 1]?.tx);
  return end === -1 ? runs : runs.slice(0, end);
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
  return {
    events: settled.filter(isPublic).map(eventOf),
    last: last ? { tx: last.tx, position: last.position } : null,
    looked: settled.length,
    again: againAfter(rows, settled.length, limit),
  };
};

const isPublic = (row: Row): row is PublicRow => row.sequence !== null;

const againAfter = (rows: readonly Row[], settled: number, limit: number): Again => {
  const isFull = rows.length === limit;
  if (settled === rows.length) return isFull ? 'now' : 'later';
  // Nobody waits for a private event. What is behind a full page is not known.
  if (!isFull && !rows.slice(settled).some(isPublic)) return 'later';
  // Whoever made progress looks at once: the transactions that were waited for may have ended meanwhile.
  return settled > 0 ? 'now' : 'soon';
};

const eventOf = (row: PublicRow): OutboxEvent => ({
  id: `${row.stream_id}@${row.version}`,
  streamId: row.stream_id,
  type: row.type,
  schemaVersion: row.schema_version,
  json: row.json,
  traceparent: row.traceparent,
  occurredAtMs: Number(row.occurred_at_ms),
  sequence: row.sequence,
});
