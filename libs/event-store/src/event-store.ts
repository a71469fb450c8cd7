import type { Causation } from '@gridbourse/event-bus';
import type { DomainEvent, EventCatalogue } from '@gridbourse/events';
import type { Clock } from '@gridbourse/kernel';
import { type CopyClient, copyIn } from '@gridbourse/postgres';
import type { EntityManager } from 'typeorm';
import { type AppendBatch, mixedTopics, PreparedAppends, versionConflict } from './append/batch.ts';
import {
  APPEND,
  appendParameters,
  COPY_EVENTS,
  COPY_STREAMS,
  eventRows,
  GROW,
  type Grown,
  grownFirst,
  streamParameters,
  streamRows,
  streamsGrown,
} from './append/statements.ts';
import { type Cursor, START } from './cursor.ts';
import { RecentAppends } from './outbox/recent-appends.ts';

/** New events of one stream. `expectedVersion` is how many events it has now, 0 for a new stream. */
export type Append<E> = {
  readonly streamId: string;
  readonly expectedVersion: number;
  readonly events: readonly E[];
  /** What caused them; by default the trace and the event that are being handled. */
  readonly metadata?: EventMetadata;
};

export { keyOfStream, type PreparedAppends, versionConflict } from './append/batch.ts';

export type EventMetadata = Causation & Readonly<Record<string, unknown>>;

export type StoredEvent<E> = {
  readonly streamId: string;
  /** 1 for the first event of the stream. */
  readonly version: number;
  readonly event: E;
  readonly occurredAtMs: number;
  readonly tx: string;
  readonly position: string;
  /** Place among the public events of the stream; null for a private event. */
  readonly sequence: number | null;
  readonly metadata: EventMetadata;
};

export type ReadOptions = {
  /** Reads what comes behind it; from the beginning when left out. */
  readonly after?: Cursor;
  /** At most so many events, up to 10 000. */
  readonly limit: number;
  readonly types?: readonly string[];
};

/** A page of the commit-safe order. */
export type Scan<E> = {
  /** Those of the types asked for. */
  readonly events: readonly StoredEvent<E>[];
  /** How many events were looked at, those of other types included. */
  readonly looked: number;
  /** The last place that was looked at, whatever its type; null when there was none. */
  readonly end: Cursor | null;
  /** There may be more at once: the page was full. */
  readonly more: boolean;
  /** There are events that have to wait for transactions that began before them. */
  readonly waiting: boolean;
};

type Row = {
  stream_id: string;
  version: string;
  type: string;
  schema_version: number;
  data: unknown;
  metadata: EventMetadata;
  occurred_at_ms: string;
  tx: string;
  position: string;
  sequence: string | null;
};

const COLUMNS = `
  stream_id, version, type, schema_version, data, metadata,
  floor(extract(epoch FROM occurred_at) * 1000) AS occurred_at_ms, tx::text AS tx, position, sequence`;

const LOAD = `SELECT ${COLUMNS} FROM events e WHERE stream_id = $1 ORDER BY e.version`;

const LOAD_FROM = `SELECT ${COLUMNS} FROM events e WHERE stream_id = $1 AND e.version > $2 ORDER BY e.version`;

/** Behind a place in the order, of some types or of all. */
const BEHIND = `
  (e.tx, e.position) > ($1::xid8, $2::bigint) AND ($3::text[] IS NULL OR e.type = ANY($3::text[]))`;

const LOAD_MANY = `
  SELECT stream_id, type, schema_version, data FROM events e
  WHERE e.stream_id = ANY ($1::text[]) ORDER BY e.stream_id, e.version`;

const READ_SETTLED = `
  SELECT ${COLUMNS} FROM events e
  WHERE ${BEHIND} AND e.tx < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY e.tx, e.position LIMIT $4`;

/** The page behind a place; what is not settled or of other types comes without its content. */
const SCAN = `
  SELECT stream_id, version, type, schema_version, tx::text AS tx, position, sequence, settled, wanted,
         floor(extract(epoch FROM occurred_at) * 1000) AS occurred_at_ms,
         CASE WHEN settled AND wanted THEN data END AS data,
         CASE WHEN settled AND wanted THEN metadata END AS metadata
  FROM (
    SELECT e.*, e.tx < pg_snapshot_xmin(pg_current_snapshot()) AS settled,
           $3::text[] IS NULL OR e.type = ANY($3::text[]) AS wanted
    FROM events e WHERE (e.tx, e.position) > ($1::xid8, $2::bigint)
    ORDER BY e.tx, e.position LIMIT $4
  ) AS page
  ORDER BY page.tx, page.position`;

const READ_VISIBLE = `
  SELECT ${COLUMNS} FROM events e WHERE ${BEHIND} ORDER BY e.tx, e.position LIMIT $4`;

/** From so many events on, copying them saves the server more than another round trip costs. */
const COPIED_FROM_EVENTS = 100;

const pageOf = (limit: number): number => Math.max(1, Math.min(10_000, limit));

/** Events of one service in its own database. Every method works inside the transaction of the manager it is given. */
export class EventStore<E extends DomainEvent = DomainEvent> {
  readonly context: string;
  readonly catalogue: EventCatalogue<E>;
  readonly clock: Clock;
  /** For the relay of this process. */
  readonly recent = new RecentAppends();

  constructor(options: {
    /** The bounded context: only its own events may be appended. */
    readonly context: string;
    readonly catalogue: EventCatalogue<E>;
    readonly clock: Clock;
  }) {
    this.context = options.context;
    this.catalogue = options.catalogue;
    this.clock = options.clock;
  }

  /**
   * Appends to any number of streams, all or nothing, in one SQL call. A stream may come several times, each time
   * expecting the version that the entry before has made.
   *
   * @throws DomainError conflict `version_conflict`: the transaction is then lost and must be rolled back
   * @throws DomainError internal `event_not_encodable`, `unknown_event`, `foreign_event`, `mixed_topics`,
   *   `event_too_large`: faults of the caller; invalid `unstorable_text`. Nothing was sent to the database
   */
  async append(manager: EntityManager, appends: readonly Append<E>[]): Promise<void> {
    await this.appendInTransaction(manager, appends);
  }

  /** As `append`. @returns the id of the transaction, null when there was nothing to append */
  async appendInTransaction(manager: EntityManager, appends: readonly Append<E>[]): Promise<string | null> {
    const prepared = this.prepare();
    for (const append of appends) prepared.add(append);
    return this.appendPrepared(manager, prepared);
  }

  /** For appends that are checked and encoded before their transaction begins. */
  prepare(): PreparedAppends<E> {
    return new PreparedAppends(this);
  }

  /** As `appendInTransaction`. */
  async appendPrepared(manager: EntityManager, prepared: PreparedAppends<E>): Promise<string | null> {
    const batch = prepared.batch();
    if (!batch) return null;
    try {
      return await this.write(manager, batch);
    } catch (error) {
      throw translate(error);
    }
  }

  /** @returns the id of the transaction */
  private async write(manager: EntityManager, batch: AppendBatch): Promise<string> {
    const { queryRunner } = manager;
    if (batch.events.length >= COPIED_FROM_EVENTS && queryRunner?.isTransactionActive) {
      const [row] = await manager.query<Grown[]>(GROW, streamParameters(grownFirst(batch)));
      const grown = streamsGrown(row!);
      const client = (await queryRunner.connect()) as CopyClient;
      const streams = streamRows(batch, grown);
      if (streams) await copyIn(client, COPY_STREAMS, streams);
      await copyIn(client, COPY_EVENTS, eventRows(batch, grown));
      this.recent.note(batch, grown);
      return grown.tx;
    }
    const [row] = await manager.query<{ tx: string }[]>(APPEND, appendParameters(batch));
    return row!.tx;
  }

  /** All events of a stream in order; version 0 and none when there is no such stream. */
  async load(manager: EntityManager, streamId: string): Promise<{ version: number; events: E[] }> {
    const rows = await manager.query<Row[]>(LOAD, [streamId]);
    return { version: rows.length, events: rows.map((row) => this.decode(row)) };
  }

  /**
   * The events of streams, each in its own order; of a stream that is not there nothing. In one query: for some hundreds of
   * streams at a time.
   */
  async loadMany(manager: EntityManager, streamIds: readonly string[]): Promise<ReadonlyMap<string, E[]>> {
    const rows = await manager.query<Row[]>(LOAD_MANY, [streamIds]);
    const streams = new Map<string, E[]>();
    for (const row of rows) {
      const known = streams.get(row.stream_id);
      if (known) known.push(this.decode(row));
      else streams.set(row.stream_id, [this.decode(row)]);
    }
    return streams;
  }

  /**
   * The events of a stream behind a version, in order: what a snapshot of that version lacks.
   * @returns the version of the stream as these events leave it
   */
  async loadFrom(
    manager: EntityManager,
    streamId: string,
    version: number,
  ): Promise<{ version: number; events: E[] }> {
    const rows = await manager.query<Row[]>(LOAD_FROM, [streamId, version]);
    return { version: version + rows.length, events: rows.map((row) => this.decode(row)) };
  }

  /** All events of a stream with when and why. */
  async history(manager: EntityManager, streamId: string): Promise<StoredEvent<E>[]> {
    return (await manager.query<Row[]>(LOAD, [streamId])).map((row) => this.stored(row));
  }

  /**
   * The events of the service in an order that never changes and never gets an event in between later: `(tx, position)`
   * up to the oldest transaction that still runs anywhere in the cluster. So a reader that goes on from the last event it
   * saw misses none. The newest events come only when the transactions that began before them have ended.
   */
  async read(manager: EntityManager, options: ReadOptions): Promise<StoredEvent<E>[]> {
    return this.page(manager, READ_SETTLED, options);
  }

  /**
   * As `read`, for a reader of few types among many: tells how far it looked, so that the reader goes on from there, and
   * whether something waits behind.
   */
  async scan(manager: EntityManager, options: ReadOptions): Promise<Scan<E>> {
    const rows = await this.rows<Row & { settled: boolean; wanted: boolean }>(manager, SCAN, options);
    const settled = rows.filter((row) => row.settled);
    const last = settled.at(-1);
    return {
      events: settled.filter((row) => row.wanted).map((row) => this.stored(row)),
      looked: settled.length,
      end: last ? { tx: last.tx, position: last.position } : null,
      more: settled.length === pageOf(options.limit),
      waiting: settled.length < rows.length,
    };
  }

  /**
   * Everything that the transaction of the manager sees behind a place, also what is not settled. Complete only for a
   * caller that keeps writers away, and no place to go on from.
   */
  async readVisible(manager: EntityManager, options: ReadOptions): Promise<StoredEvent<E>[]> {
    return this.page(manager, READ_VISIBLE, options);
  }

  /**
   * Every event that is committed now, in pages, to build the state of a single writer. Unlike `read` it does not stop
   * at a transaction that still runs, so a place in it is no place to go on from later. Opens a transaction of its own
   * (repeatable read), so give it the manager of the DataSource and none that is in a transaction.
   */
  async replay(
    manager: EntityManager,
    options: { readonly types?: readonly string[]; readonly pageSize?: number },
    onEvent: (stored: StoredEvent<E>) => void,
  ): Promise<void> {
    const limit = options.pageSize ?? 2_000;
    await manager.transaction('REPEATABLE READ', async (transaction) => {
      await transaction.query('SET TRANSACTION READ ONLY');
      for (let after = START; ;) {
        const page = await this.page(transaction, READ_VISIBLE, { ...options, after, limit });
        for (const stored of page) onEvent(stored);
        const last = page.at(-1);
        if (!last || page.length < limit) return;
        after = { tx: last.tx, position: last.position };
      }
    });
  }

  private async page(manager: EntityManager, sql: string, options: ReadOptions): Promise<StoredEvent<E>[]> {
    return (await this.rows<Row>(manager, sql, options)).map((row) => this.stored(row));
  }

  private rows<R>(manager: EntityManager, sql: string, options: ReadOptions): Promise<R[]> {
    const { tx, position } = options.after ?? START;
    return manager.query<R[]>(sql, [tx, position, options.types ?? null, pageOf(options.limit)]);
  }

  private decode(row: Row): E {
    return this.catalogue.decode({ type: row.type, schemaVersion: row.schema_version, data: row.data });
  }

  private stored(row: Row): StoredEvent<E> {
    return {
      streamId: row.stream_id,
      version: Number(row.version),
      event: this.decode(row),
      occurredAtMs: Number(row.occurred_at_ms),
      tx: row.tx,
      position: row.position,
      sequence: row.sequence === null ? null : Number(row.sequence),
      metadata: row.metadata,
    };
  }
}

/** Postgres errors that have a meaning for the caller. */
const translate = (error: unknown): unknown => {
  const { code, detail, constraint } = ((error as { driverError?: unknown }).driverError ?? error) as {
    code?: string;
    detail?: string;
    constraint?: string;
  };
  if (code === 'GB001') return versionConflict(detail ?? 'a stream');
  // Of a new stream that is copied and is there, its key is told whatever the language of the server.
  if (code === '23505' && constraint === 'streams_pkey') {
    return versionConflict(detail?.match(/=\((.*)\)/)?.[1] ?? 'a stream');
  }
  if (code === 'GB002') return mixedTopics(`${detail} publishes to another topic`);
  return error;
};
