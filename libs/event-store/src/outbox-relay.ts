import { type BusRecord, type EventBus, isConnectionError } from '@gridbourse/event-bus';
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

export type OutboxRelayOptions = {
  readonly dataSource: DataSource;
  /** The catalogue of the service's own events (the store's). */
  readonly catalogue: EventCatalogue;
  readonly bus: EventBus;
  /** The bounded context, for example `matchmaker`. */
  readonly context: string;
  readonly logger: Logger;
  readonly meter?: Meter;
  /** Events published at once (500). */
  readonly batchSize?: number;
  /** Milliseconds between looks without a wake-up (250). */
  readonly pollMs?: number;
};

type Row = {
  stream_id: string;
  version: string;
  type: string;
  schema_version: number;
  data: unknown;
  metadata: { traceparent?: unknown };
  occurred_at_ms: string;
  tx: string;
  position: string;
  sequence: string;
  settled: boolean;
  age_seconds: number;
};

/**
 * The next public events behind the checkpoint. Those that may still get an event before them come as not settled, so
 * that the relay knows to look again soon; by the order of the index they are the last of the page.
 */
const NEXT = `
  SELECT e.stream_id, e.version, e.type, e.schema_version, e.data, e.metadata, e.tx::text AS tx, e.position, e.sequence,
         floor(extract(epoch FROM e.occurred_at) * 1000) AS occurred_at_ms,
         greatest(0, extract(epoch FROM clock_timestamp() - e.occurred_at))::float8 AS age_seconds,
         e.tx < pg_snapshot_xmin(pg_current_snapshot()) AS settled
  FROM events e
  WHERE e.sequence IS NOT NULL AND (e.tx, e.position) > ($2::xid8, $3::bigint)
  ORDER BY e.tx, e.position LIMIT $1`;

const CHECKPOINT = `SELECT tx::text AS tx, position FROM outbox_checkpoint`;
const ADVANCE = `UPDATE outbox_checkpoint SET tx = $1::xid8, position = $2::bigint`;

/** One process of the service relays; the lock's name is the database itself, so the number can be fixed. */
const LOCK = `hashtextextended('gridbourse:outbox-relay', 0)`;

/** When to look again: `now` when the batch was full, `soon` when events wait for older transactions to end. */
type Round = { readonly place: Cursor; readonly again: 'now' | 'soon' | 'later' };

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * Publishes the public events of a service, in order, at least once. One process does, the one whose connection holds an
 * advisory lock; the others stand by and take over when that connection ends. The checkpoint is written through the
 * same connection, so that a relay that has lost its lock cannot move it.
 */
export class OutboxRelay {
  private readonly o: OutboxRelayOptions;
  private readonly lag;
  private readonly relayed;
  private readonly failures;
  private stopping = false;
  private running: Promise<void> | null = null;
  private woken = false;
  private waiter: (() => void) | null = null;

  constructor(options: OutboxRelayOptions) {
    this.o = options;
    const meter = options.meter ?? serviceMeter(options.context);
    this.lag = meter.createGauge('outbox_lag_seconds', {
      description: 'Age of the oldest public event that is not published yet',
    });
    this.relayed = meter.createCounter('outbox_relayed_total', { description: 'Events published' });
    this.failures = meter.createCounter('outbox_failures_total', {
      description: 'Times the relay could not publish or lost its database',
    });
  }

  start(): void {
    if (this.running) return;
    this.stopping = false;
    this.running = this.run();
  }

  /** There may be something new: call after a commit. Costs nothing when there is not. */
  wake(): void {
    this.woken = true;
    this.waiter?.();
  }

  /** Finishes the batch in hand, then gives the lock to another process. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.running;
    this.running = null;
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.stopping;) {
      try {
        await this.serve(() => (failures = 0));
      } catch (error) {
        failures += 1;
        this.failures.add(1, { context: this.o.context });
        const away = isConnectionError(error);
        this.o.logger[away ? 'warn' : 'error'](
          { err: error, context: this.o.context, failures },
          'the outbox relay could not go on and tries again',
        );
        await this.wait(Math.min(5_000, 25 * 2 ** Math.min(failures, 12)), true);
      }
    }
  }

  /** Holds one connection: waits on it for the lock, then relays until told to stop or something fails. */
  private async serve(onHealthy: () => void): Promise<void> {
    const runner = this.o.dataSource.createQueryRunner();
    let place: Cursor | null = null;
    try {
      while (!this.stopping) {
        place ??= await this.takeOver(runner);
        const round: Round | null = place && (await this.relay(runner, place));
        if (round) {
          place = round.place;
          onHealthy();
        }
        if (round?.again === 'now') continue;
        await this.wait(round?.again === 'soon' ? 3 : (this.o.pollMs ?? 250), round?.again !== 'later');
      }
    } finally {
      if (place) await runner.query(`SELECT pg_advisory_unlock(${LOCK})`).catch(() => undefined);
      await runner.release();
    }
  }

  /** @returns how far the owner before has published; null while there is another owner */
  private async takeOver(runner: QueryRunner): Promise<Cursor | null> {
    const [lock] = (await runner.query(`SELECT pg_try_advisory_lock(${LOCK}) AS taken`)) as {
      taken: boolean;
    }[];
    if (!lock!.taken) return null;
    const [checkpoint] = (await runner.query(CHECKPOINT)) as Cursor[];
    return checkpoint ?? START;
  }

  /** Publishes one batch. */
  private async relay(runner: QueryRunner, place: Cursor): Promise<Round> {
    const limit = this.o.batchSize ?? 500;
    const rows = (await runner.query(NEXT, [limit, place.tx, place.position])) as Row[];
    const end = rows.findIndex((row) => !row.settled);
    const settled = end === -1 ? rows : rows.slice(0, end);
    const last = settled.at(-1);
    this.lag.record(rows[0]?.age_seconds ?? 0, { context: this.o.context });
    if (last) {
      await this.o.bus.publish(settled.map((row) => this.recordOf(row)));
      await runner.query(ADVANCE, [last.tx, last.position]);
      this.relayed.add(settled.length, { context: this.o.context });
    }
    const again = end !== -1 ? 'soon' : rows.length === limit ? 'now' : 'later';
    return { place: last ? { tx: last.tx, position: last.position } : place, again };
  }

  private recordOf(row: Row): BusRecord {
    const definition = this.o.catalogue.definition(row.type);
    const key = keyOfStream(row.stream_id);
    const { traceparent } = row.metadata;
    // As it was stored, which may be an earlier version than the one that is written now.
    const written = { ...definition, version: row.schema_version };
    const headers: EventHeaders = {
      ce_specversion: '1.0',
      ce_id: `${row.stream_id}@${row.version}`,
      ce_type: cloudEventTypeOf(written),
      ce_source: `/gridbourse/${definition.context}`,
      ce_time: new Date(Number(row.occurred_at_ms)).toISOString(),
      ce_subject: key,
      ce_dataschema: dataSchemaOf(written),
      ...(typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? { traceparent } : {}),
      sequence: row.sequence,
    };
    return { topic: topicOf(definition), key, headers, value: row.data };
  }

  /** Until woken or the time is over; `deaf` waits out the time except when stopping. */
  private wait(milliseconds: number, deaf = false): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiter = null;
        resolve();
      };
      const timer = setTimeout(() => {
        this.woken = false;
        done();
      }, milliseconds);
      const heed = (): void => {
        if (deaf && !this.stopping) return;
        if (!this.woken) return;
        this.woken = false;
        done();
      };
      this.waiter = heed;
      heed();
    });
  }
}
