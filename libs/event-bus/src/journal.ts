import { type EventDefinition, type EventHeaders, parseCloudEventType, topicOf } from '@gridbourse/events';
import type { EntityManager } from 'typeorm';
import type { InboxEntry } from './inbox.ts';

/**
 * An event of another service as it was taken: what a read model that is made of such events is rebuilt from, long after
 * the bus has forgotten them. The tables are the event store's (`eventStoreMigrations`).
 */
export type JournalEntry = Omit<InboxEntry, 'consumer'> & {
  readonly headers: EventHeaders;
  /** As it was published, in the version in which it was published. */
  readonly value: unknown;
  /** When it was handled, by the clock of the service. */
  readonly heardAtMs: number;
  /** What the handler needs to remember of the hearing; null where nothing. */
  readonly note: unknown;
};

const WRITE = `
  INSERT INTO bus_journal (consumer, topic, key, sequence, type, schema_version, data, heard_at_ms, note)
  SELECT $1, topic, key, sequence, type, schema_version, data::json, heard_at_ms, note::jsonb
  FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::int[], $7::text[], $8::bigint[], $9::text[])
    WITH ORDINALITY AS e (topic, key, sequence, type, schema_version, data, heard_at_ms, note, place)
  ORDER BY place`;

const REGISTER = `
  INSERT INTO bus_journal_coverage (consumer, topic, type, complete)
  SELECT $1, topic, type, NOT EXISTS (SELECT FROM bus_inbox i WHERE i.consumer = $1 AND i.topic = t.topic)
  FROM unnest($2::text[], $3::text[]) AS t (topic, type)
  ON CONFLICT DO NOTHING`;

/** Keeps events in the transaction in which their effects are written: one statement however many they are. */
export const writeJournal = async (
  manager: EntityManager,
  consumer: string,
  entries: readonly JournalEntry[],
): Promise<void> => {
  if (entries.length === 0) return;
  const types = entries.map(({ headers }) => parseCloudEventType(headers.ce_type)!);
  await manager.query(WRITE, [
    consumer,
    entries.map(({ topic }) => topic),
    entries.map(({ key }) => key),
    entries.map(({ sequence }) => sequence),
    types.map(({ type }) => type),
    types.map(({ version }) => version),
    entries.map(({ value }) => JSON.stringify(value ?? null)),
    entries.map(({ heardAtMs }) => heardAtMs),
    entries.map(({ note }) => (note === null ? null : JSON.stringify(note))),
  ]);
};

/**
 * Notes, before the first of them is taken, from when on events of these definitions are kept: from the very first one,
 * or only from a later one, where the service has read their topic before without keeping them.
 */
export const registerJournal = async (
  manager: EntityManager,
  consumer: string,
  definitions: readonly EventDefinition[],
): Promise<void> => {
  if (definitions.length === 0) return;
  await manager.query(REGISTER, [consumer, definitions.map(topicOf), definitions.map(({ type }) => type)]);
};
