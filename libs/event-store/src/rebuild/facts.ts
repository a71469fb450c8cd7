import { type DomainEvent, type EventDefinition, publishedLanguage, topicOf } from '@gridbourse/events';
import { conflict } from '@gridbourse/kernel';
import type { EntityManager } from 'typeorm';
import type { Cursor } from '../cursor.ts';
import type { EventMetadata, EventStore } from '../event-store.ts';
import type { Fact } from './read-model.ts';

type Row = {
  own: boolean;
  topic: string | null;
  key: string;
  number: string;
  type: string;
  schema_version: number;
  data: string;
  metadata: unknown;
  at_ms: string;
  tx: string;
  position: string;
  sequence: string | null;
};

const BEHIND = `(tx, position) > ($1::xid8, $2::bigint) AND ($4 OR tx < pg_snapshot_xmin(pg_current_snapshot()))`;

/** Own events and the journal in their common order. One statement: both are seen at one moment. */
const READ = `
  SELECT own, topic, key, number, type, schema_version, data, metadata, at_ms, tx::text AS tx, position, sequence
  FROM (
    (SELECT true AS own, NULL::text AS topic, stream_id AS key, version AS number, type, schema_version,
            data::text AS data, metadata, floor(extract(epoch FROM occurred_at) * 1000) AS at_ms, tx, position, sequence
     FROM events WHERE ${BEHIND} AND type = ANY ($5::text[]) ORDER BY tx, position LIMIT $3)
    UNION ALL
    (SELECT false, topic, key, sequence, type, schema_version, data::text, note::json, heard_at_ms, tx, position, sequence
     FROM bus_journal WHERE ${BEHIND} AND consumer = $6 AND type = ANY ($7::text[]) ORDER BY tx, position LIMIT $3)
  ) AS facts
  ORDER BY facts.tx, facts.position LIMIT $3`;

const COUNT = `
  SELECT (SELECT count(*) FROM (SELECT FROM events WHERE (tx, position) > ($1::xid8, $2::bigint)
                                AND type = ANY ($4::text[]) LIMIT $3) AS own)
       + (SELECT count(*) FROM (SELECT FROM bus_journal WHERE (tx, position) > ($1::xid8, $2::bigint)
                                AND consumer = $5 AND type = ANY ($6::text[]) LIMIT $3) AS heard) AS left`;

const GAPS = `
  SELECT w.type FROM unnest($2::text[], $3::text[]) AS w (topic, type)
  LEFT JOIN bus_journal_coverage c ON (c.consumer, c.topic, c.type) = ($1, w.topic, w.type)
  WHERE c.complete IS NOT TRUE ORDER BY w.type`;

/** Which facts: own events of these types, and heard ones of these definitions. */
export type FactFilter = { readonly types: readonly string[]; readonly hears: readonly EventDefinition[] };

/** Reads what a service has decided and what it has heard, decoded into the shapes of today. */
export class Facts<E extends DomainEvent> {
  constructor(
    private readonly store: EventStore<E>,
    private readonly filter: FactFilter,
  ) {}

  private get heardTypes(): string[] {
    return this.filter.hears.map(({ type }) => type);
  }

  /**
   * @param unsettled also what may still get facts in between: complete only for a caller that keeps writers away
   */
  async read(
    manager: EntityManager,
    { after, limit, unsettled }: { after: Cursor; limit: number; unsettled: boolean },
  ): Promise<{ facts: Fact<E>[]; end: Cursor | null; more: boolean }> {
    const rows = await manager.query<Row[]>(READ, [
      ...[after.tx, after.position, limit, unsettled, this.filter.types],
      ...[this.store.context, this.heardTypes],
    ]);
    const last = rows.at(-1);
    return {
      facts: rows.map((row) => this.factOf(row)),
      end: last ? { tx: last.tx, position: last.position } : null,
      more: rows.length === limit,
    };
  }

  /** How many are left, counted up to the limit of either kind. */
  async count(manager: EntityManager, after: Cursor, limit: number): Promise<number> {
    const [row] = await manager.query<{ left: string }[]>(COUNT, [
      ...[after.tx, after.position, limit, this.filter.types, this.store.context, this.heardTypes],
    ]);
    return Number(row!.left);
  }

  /** @throws DomainError conflict `journal_incomplete` when events were taken before they were kept */
  async assertComplete(manager: EntityManager): Promise<void> {
    const { hears } = this.filter;
    const rows = await manager.query<{ type: string }[]>(GAPS, [
      this.store.context,
      hears.map(topicOf),
      this.heardTypes,
    ]);
    if (rows.length === 0) return;
    const types = rows.map(({ type }) => type).join(', ');
    throw conflict(
      'journal_incomplete',
      `the journal of ${this.store.context} does not have every ${types}: some were taken before they were kept`,
    );
  }

  private factOf(row: Row): Fact<E> {
    const { tx, position } = row;
    const encoded = {
      type: row.type,
      schemaVersion: row.schema_version,
      data: JSON.parse(row.data) as unknown,
    };
    if (row.own) {
      return {
        own: {
          streamId: row.key,
          version: Number(row.number),
          event: this.store.catalogue.decode(encoded),
          occurredAtMs: Number(row.at_ms),
          tx,
          position,
          sequence: row.sequence === null ? null : Number(row.sequence),
          metadata: row.metadata as EventMetadata,
        },
      };
    }
    return {
      heard: {
        event: publishedLanguage.decode(encoded),
        topic: row.topic!,
        key: row.key,
        sequence: Number(row.number),
        heardAtMs: Number(row.at_ms),
        note: row.metadata,
        tx,
        position,
      },
    };
  }
}
