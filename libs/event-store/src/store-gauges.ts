import { type Meter } from '@gridbourse/observability';
import type { DataSource } from 'typeorm';
import { Sampler } from './sampler.ts';

export type StoreGaugesOptions = {
  readonly dataSource: DataSource;
  readonly context: string;
  readonly meter: Meter;
  /** Milliseconds between two looks (1000). */
  readonly everyMs?: number;
};

/** Counted no further than this: more is bad enough, and counting costs. */
const COUNT_AT_MOST = 10_000;

/**
 * A transaction that has written keeps every reader in commit-safe order before it, in whatever database of the server
 * it runs, and so does one that is prepared. Transactions of other roles show their age only to `pg_read_all_stats`.
 */
const READER_AGE = `
  SELECT coalesce(greatest(0, extract(epoch FROM clock_timestamp() - min(started))), 0)::float8 AS age_seconds
  FROM (
    SELECT xact_start AS started FROM pg_stat_activity WHERE backend_xid IS NOT NULL
    UNION ALL
    SELECT prepared FROM pg_prepared_xacts
  ) AS writing`;

/** The checkpoint in subqueries: in a join Postgres walks the whole history and compares each event with it. */
const OUTBOX_LAG = `
  SELECT count(*)::int AS events,
         coalesce(greatest(0, extract(epoch FROM clock_timestamp() - min(occurred_at))), 0)::float8 AS seconds
  FROM (
    SELECT e.occurred_at FROM events e
    WHERE e.sequence IS NOT NULL
      AND (e.tx, e.position) > ((SELECT tx FROM outbox_checkpoint), (SELECT position FROM outbox_checkpoint))
    ORDER BY e.tx, e.position LIMIT ${COUNT_AT_MOST}
  ) AS behind`;

/**
 * How far the readers of a store lag behind its writers. Measured apart from the relay: one that hangs, or that has no
 * owner, is what these figures are to show.
 */
export class StoreGauges {
  private readonly o: StoreGaugesOptions;
  private readonly readerAge;
  private readonly lagEvents;
  private readonly lagSeconds;
  private readonly sampler: Sampler;

  constructor(options: StoreGaugesOptions) {
    this.o = options;
    this.readerAge = options.meter.createGauge('event_store_reader_age_seconds', {
      description: 'Age of the oldest transaction that holds back the readers in commit-safe order',
    });
    this.lagEvents = options.meter.createGauge('outbox_lag_events', {
      description: `Public events that are not published yet, counted up to ${COUNT_AT_MOST}`,
    });
    this.lagSeconds = options.meter.createGauge('outbox_lag_seconds', {
      description: 'Age of the oldest public event that is not published yet',
    });
    this.sampler = new Sampler(options.everyMs ?? 1_000, () => this.measure());
  }

  start(): void {
    this.sampler.start();
  }

  async stop(): Promise<void> {
    await this.sampler.stop();
  }

  /** Looks once. @throws whatever the database says */
  async measure(): Promise<void> {
    const labels = { context: this.o.context };
    const [reader] = await this.o.dataSource.query<{ age_seconds: number }[]>(READER_AGE);
    const [lag] = await this.o.dataSource.query<{ events: number; seconds: number }[]>(OUTBOX_LAG);
    this.readerAge.record(reader!.age_seconds, labels);
    this.lagEvents.record(lag!.events, labels);
    this.lagSeconds.record(lag!.seconds, labels);
  }
}
