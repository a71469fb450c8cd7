import { type EncodedRecord, type EventBus, isConnectionError } from '@gridbourse/event-bus';
import {
  cloudEventTypeOf,
  dataSchemaOf,
  type EventCatalogue,
  type EventHeaders,
  topicOf,
} from '@gridbourse/events';
import { type Logger, type Meter, serviceMeter } from '@gridbourse/observability';
import type { DataSource, QueryRunner } from 'typeorm';
import { type Cursor, START } from './cursor.ts';
import { keyOfStream } from './event-store.ts';
import { type Again, SingleOwner } from './single-owner.ts';
import { StoreGauges } from './store-gauges.ts';

export type OutboxRelayOptions = {
  readonly dataSource: DataSource;
  /** The catalogue of the service's own events (the store's). */
  readonly catalogue: EventCatalogue;
  readonly bus: Pick<EventBus, 'publish'>;
  /** The bounded context, for example `matchmaker`. */
  readonly context: string;
  readonly logger: Logger;
  readonly meter?: Meter;
  /** Events published at once (1000). */
  readonly batchSize?: number;
  /** Milliseconds between looks without a wake-up (250). */
  readonly pollMs?: number;
  /** Milliseconds between two measurements of the lag (1000). */
  readonly measureMs?: number;
};

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

type AttributesOfType = { readonly topic: string } & Pick<
  EventHeaders,
  'ce_specversion' | 'ce_type' | 'ce_source' | 'ce_dataschema'
>;

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

const CHECKPOINT = `SELECT tx::text AS tx, position FROM outbox_checkpoint`;
const ADVANCE = `UPDATE outbox_checkpoint SET tx = $1::xid8, position = $2::bigint`;

/** One process of the service relays; the lock's name is the database itself, so this name can be fixed. */
const LOCK = 'gridbourse:outbox-relay';

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * Publishes the public events of a service, in order, at least once. One process does, the one whose connection holds an
 * advisory lock; the others stand by and take over when that connection ends. The checkpoint is written through the
 * same connection, so that a relay that has lost its lock cannot move it.
 */
export class OutboxRelay {
  private readonly o: OutboxRelayOptions;
  private readonly relayed;
  private readonly failures;
  private readonly gauges: StoreGauges;
  private readonly owner: SingleOwner;
  private readonly attributes = new Map<string, AttributesOfType>();
  private lastTime = { ms: '', iso: '' };

  constructor(options: OutboxRelayOptions) {
    this.o = options;
    const { dataSource, context, measureMs: everyMs = 1_000 } = options;
    const meter = options.meter ?? serviceMeter(context);
    this.relayed = meter.createCounter('outbox_relayed_total', { description: 'Events published' });
    this.failures = meter.createCounter('outbox_failures_total', {
      description: 'Times the relay could not publish or lost its database',
    });
    this.gauges = new StoreGauges({ dataSource, context, meter, everyMs });
    this.owner = new SingleOwner({
      dataSource,
      lock: LOCK,
      pollMs: options.pollMs ?? 250,
      maxBackoffMs: 5_000,
      begin: (runner) => this.begin(runner),
      onFailure: (error, failures) => this.failed(error, failures),
    });
  }

  /** Starts to relay or to stand by, and to measure; standbys measure too. */
  start(): void {
    this.owner.start();
    this.gauges.start();
  }

  /** There may be something new: call after a commit. Costs nothing when there is not. */
  wake(): void {
    this.owner.wake();
  }

  /** Finishes the batch in hand, then gives the lock to another process. */
  async stop(): Promise<void> {
    await Promise.all([this.owner.stop(), this.gauges.stop()]);
  }

  /** Goes on where the owner before has stopped. */
  private async begin(runner: QueryRunner): Promise<() => Promise<Again>> {
    const [checkpoint] = (await runner.query(CHECKPOINT)) as Cursor[];
    let place = checkpoint ?? START;
    return async () => {
      const { last, again } = await this.relay(runner, place);
      if (last) place = { tx: last.tx, position: last.position };
      return again;
    };
  }

  private failed(error: unknown, failures: number): void {
    this.failures.add(1, { context: this.o.context });
    this.o.logger[isConnectionError(error) ? 'warn' : 'error'](
      { err: error, context: this.o.context, failures },
      'the outbox relay could not go on and tries again',
    );
  }

  /** Publishes one batch. */
  private async relay(runner: QueryRunner, place: Cursor): Promise<{ last: Row | undefined; again: Again }> {
    const limit = this.o.batchSize ?? 1_000;
    const rows = (await runner.query(NEXT, [limit, place.tx, place.position])) as Row[];
    const end = rows.findIndex((row) => !row.settled);
    const settled = end === -1 ? rows : rows.slice(0, end);
    const last = settled.at(-1);
    if (last) {
      await this.o.bus.publish(settled.map((row) => this.recordOf(row)));
      await runner.query(ADVANCE, [last.tx, last.position]);
      this.relayed.add(settled.length, { context: this.o.context });
    }
    // Whoever made progress looks at once: the transactions that were waited for may have ended meanwhile.
    if (end !== -1) return { last, again: last ? 'now' : 'soon' };
    return { last, again: rows.length === limit ? 'now' : 'later' };
  }

  private recordOf(row: Row): EncodedRecord {
    const { topic, ...ofType } = this.attributesOf(row.type, row.schema_version);
    const key = keyOfStream(row.stream_id);
    const { traceparent } = row;
    const headers: EventHeaders = {
      ...ofType,
      ce_id: `${row.stream_id}@${row.version}`,
      ce_time: this.timeOf(row.occurred_at_ms),
      ce_subject: key,
      ...(traceparent !== null && TRACEPARENT.test(traceparent) ? { traceparent } : {}),
      sequence: row.sequence,
    };
    return { topic, key, headers, json: row.json };
  }

  /** What records of a type have in common, in the version in which it was stored: that may be an earlier one. */
  private attributesOf(type: string, schemaVersion: number): AttributesOfType {
    const name = `${type}.v${schemaVersion}`;
    const known = this.attributes.get(name);
    if (known) return known;
    const definition = this.o.catalogue.definition(type);
    const written = { ...definition, version: schemaVersion };
    const made: AttributesOfType = {
      topic: topicOf(definition),
      ce_specversion: '1.0',
      ce_type: cloudEventTypeOf(written),
      ce_source: `/gridbourse/${definition.context}`,
      ce_dataschema: dataSchemaOf(written),
    };
    this.attributes.set(name, made);
    return made;
  }

  /** Events that were appended together have one time. */
  private timeOf(ms: string): string {
    if (this.lastTime.ms !== ms) this.lastTime = { ms, iso: new Date(Number(ms)).toISOString() };
    return this.lastTime.iso;
  }
}
