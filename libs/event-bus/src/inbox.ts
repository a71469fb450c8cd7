import { readFileSync } from 'node:fs';
import { DomainError } from '@gridbourse/kernel';
import type { EntityManager } from 'typeorm';

export type InboxEntry = {
  /** The consumer group. */
  readonly consumer: string;
  readonly topic: string;
  readonly key: string;
  readonly sequence: number;
};

/** What the inbox says of a record: never seen and next in line, seen before, or not next in line. */
export type InboxState = 'new' | 'duplicate' | 'gap';

/** SQL of the table `bus_inbox`, which the database of every consumer needs. */
export const inboxMigrationSql = (): string =>
  readFileSync(new URL('../migrations/inbox/0001-inbox.sql', import.meta.url), 'utf8');

const CREATE = `
  INSERT INTO bus_inbox (consumer, topic, key, sequence) VALUES ($1, $2, $3, $4)
  ON CONFLICT DO NOTHING RETURNING sequence`;
// RETURNING through a CTE: TypeORM answers a bare UPDATE in another form than a SELECT.
const ADVANCE = `
  WITH advanced AS (
    UPDATE bus_inbox SET sequence = $4
    WHERE consumer = $1 AND topic = $2 AND key = $3 AND sequence = $4::bigint - 1
    RETURNING sequence
  ) SELECT sequence FROM advanced`;
const READ = `SELECT sequence FROM bus_inbox WHERE consumer = $1 AND topic = $2 AND key = $3`;

const READ_ALL = `
  SELECT i.topic, i.key, i.sequence FROM bus_inbox i
  JOIN unnest($2::text[], $3::text[]) AS w (topic, key) ON i.topic = w.topic AND i.key = w.key
  WHERE i.consumer = $1`;
const ADVANCE_ALL = `
  WITH change AS (
    SELECT * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) AS c (topic, key, before, after)
  ), created AS (
    INSERT INTO bus_inbox (consumer, topic, key, sequence)
    SELECT $1, topic, key, after FROM change WHERE before = 0 ORDER BY topic, key
    ON CONFLICT DO NOTHING RETURNING 1
  ), advanced AS (
    UPDATE bus_inbox i SET sequence = c.after FROM change c
    WHERE c.before > 0 AND i.consumer = $1 AND i.topic = c.topic AND i.key = c.key AND i.sequence = c.before
    RETURNING 1
  ) SELECT ((SELECT count(*) FROM created) + (SELECT count(*) FROM advanced))::int AS changed`;

type Row = { sequence: string };

/** A record came before the one that must precede it: an alarm, because the bus and the outbox both keep order. */
export const inboxGap = (entry: InboxEntry, seen: number): DomainError =>
  new DomainError(
    'internal',
    'inbox_gap',
    `${entry.consumer} has seen ${entry.topic} ${entry.key} up to ${seen} and was given ${entry.sequence}`,
  );

/** Where the record stands, without writing anything. Costs one indexed read. */
export const peekInbox = async (
  manager: EntityManager,
  entry: InboxEntry,
): Promise<{ state: InboxState; seen: number }> => {
  const rows = await manager.query<Row[]>(READ, [entry.consumer, entry.topic, entry.key]);
  const seen = Number(rows[0]?.sequence ?? 0);
  const state = entry.sequence <= seen ? 'duplicate' : entry.sequence === seen + 1 ? 'new' : 'gap';
  return { state, seen };
};

/**
 * Notes the record as taken, in the caller's transaction. Two consumers that try at once are serialised by the row: the
 * second waits for the first to commit and is then told `duplicate`.
 *
 * @throws DomainError `inbox_gap` when an earlier record of the key has not been taken
 */
export const recordInbox = async (
  manager: EntityManager,
  entry: InboxEntry,
): Promise<'new' | 'duplicate'> => {
  const sql = entry.sequence === 1 ? CREATE : ADVANCE;
  const rows = await manager.query<Row[]>(sql, [entry.consumer, entry.topic, entry.key, entry.sequence]);
  if (rows.length === 1) return 'new';
  const { state, seen } = await peekInbox(manager, entry);
  if (state === 'duplicate') return 'duplicate';
  throw inboxGap(entry, seen);
};

/** No topic has a space in it. */
const nameOf = ({ topic, key }: { readonly topic: string; readonly key: string }): string =>
  `${topic} ${key}`;

/**
 * Notes several records of one consumer as taken, in the caller's transaction: two statements however many they are.
 *
 * @param entries in the order in which they are handled
 * @returns which of the entries are new, by their place; the others were taken before
 * @throws DomainError `inbox_gap`, and `inbox_moved` when another transaction has taken some of them meanwhile: nothing
 *   must be committed then, and each has to be tried alone
 */
export const recordInboxes = async (
  manager: EntityManager,
  consumer: string,
  entries: readonly Omit<InboxEntry, 'consumer'>[],
): Promise<number[]> => {
  const keys = new Map(entries.map((entry) => [nameOf(entry), entry]));
  const wanted = [...keys.values()];
  const rows = await manager.query<(Row & { topic: string; key: string })[]>(READ_ALL, [
    consumer,
    wanted.map(({ topic }) => topic),
    wanted.map(({ key }) => key),
  ]);
  const before = new Map(rows.map((row) => [nameOf(row), Number(row.sequence)]));
  const after = new Map<string, number>();
  const fresh: number[] = [];
  entries.forEach((entry, place) => {
    const name = nameOf(entry);
    const seen = after.get(name) ?? before.get(name) ?? 0;
    if (entry.sequence <= seen) return;
    if (entry.sequence > seen + 1) throw inboxGap({ ...entry, consumer }, seen);
    after.set(name, entry.sequence);
    fresh.push(place);
  });
  if (after.size === 0) return fresh;
  const names = [...after.keys()];
  const [row] = await manager.query<{ changed: number }[]>(ADVANCE_ALL, [
    consumer,
    names.map((name) => keys.get(name)!.topic),
    names.map((name) => keys.get(name)!.key),
    names.map((name) => before.get(name) ?? 0),
    names.map((name) => after.get(name)!),
  ]);
  if (row?.changed !== after.size) {
    throw new DomainError('conflict', 'inbox_moved', `${consumer} has taken some of these records meanwhile`);
  }
  return fresh;
};
