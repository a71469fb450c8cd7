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
