import { isConnectionError } from '@gridbourse/postgres';
import type { DomainEvent } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import { type Logger, type Meter, serviceMeter } from '@gridbourse/observability';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { advanceCheckpoint, openCheckpoint } from './checkpoint.ts';
import type { Cursor } from './cursor.ts';
import type { EventStore, Scan, StoredEvent } from './event-store.ts';
import { Sampler } from './sampler.ts';
import { type Again, SingleOwner } from './single-owner.ts';

export type SubscriptionOptions<E extends DomainEvent> = {
  /** Names the checkpoint and the owner's lock in the consumer's database. */
  readonly name: string;
  readonly store: EventStore<E>;
  /** The store's database. */
  readonly source: DataSource;
  /** The consumer's database, by default the store's. It needs `subscriptionMigration`. */
  readonly consumer?: DataSource;
  /** Only events of these types; all when left out. */
  readonly types?: readonly string[];
  /**
   * Handles some events, in order, in the transaction in which the checkpoint moves behind them: the effect happens once,
   * if it is made through this manager. What it throws undoes the transaction, and the same events come again.
   */
  readonly handler: (manager: EntityManager, events: readonly StoredEvent<E>[]) => Promise<void>;
  readonly logger: Logger;
  readonly meter?: Meter;
  /** Events handed over at once (200). */
  readonly pageSize?: number;
  /** Milliseconds between looks without a wake-up (250). */
  readonly pollMs?: number;
  /** The longest pause after failures, milliseconds (5000). */
  readonly maxBackoffMs?: number;
  /** Milliseconds between two measurements of the lag (1000). */
  readonly measureMs?: number;
};

/** Counted no further than this. */
const COUNT_AT_MOST = 100_000;

const LAG = `
  SELECT count(*)::int AS events,
         coalesce(greatest(0, extract(epoch FROM clock_timestamp() - min(occurred_at))), 0)::float8 AS seconds
  FROM (
    SELECT e.occurred_at FROM events e
    WHERE (e.tx, e.position) > ($1::xid8, $2::bigint) AND ($3::text[] IS NULL OR e.type = ANY($3::text[]))
    ORDER BY e.tx, e.position LIMIT ${COUNT_AT_MOST}
  ) AS behind`;

const hasMoved = (error: unknown): boolean =>
  error instanceof DomainError && error.code === 'checkpoint_moved';

/**
 * A durable reader of a store. Reads in commit-safe order, a page at a time: the next one when the last one is committed,
 * so that a slow handler holds back nothing but itself. One process works, the others stand by.
 *
 * What makes the effect happen once: the handler writes through the connection that holds the owner's lock, so an owner
 * that has lost the lock has lost its transaction with it; and the transaction begins by moving the checkpoint from where
 * this owner knows it, which fails when anybody else has moved it.
 */
export class EventSubscription<E extends DomainEvent> {
  private readonly o: SubscriptionOptions<E>;
  private readonly consumer: DataSource;
  private readonly owner: SingleOwner;
  private readonly sampler: Sampler;
  private readonly handled;
  private readonly failures;
  private readonly lagEvents;
  private readonly lagSeconds;
  /** Events that are handed over one by one, because a page with them failed: those before the bad one get through. */
  private careful = 0;

  constructor(options: SubscriptionOptions<E>) {
    this.o = options;
    this.consumer = options.consumer ?? options.source;
    const meter = options.meter ?? serviceMeter(options.store.context);
    this.handled = meter.createCounter('subscription_events_total', { description: 'Events handled' });
    this.failures = meter.createCounter('subscription_failures_total', {
      description: 'Times a subscription could not go on and had to try again',
    });
    this.lagEvents = meter.createGauge('subscription_lag_events', {
      description: `Events that are not handled yet, counted up to ${COUNT_AT_MOST}`,
    });
    this.lagSeconds = meter.createGauge('subscription_lag_seconds', {
      description: 'Age of the oldest event that is not handled yet',
    });
    this.owner = new SingleOwner({
      dataSource: this.consumer,
      lock: `gridbourse:subscription:${options.name}`,
      pollMs: options.pollMs ?? 250,
      maxBackoffMs: options.maxBackoffMs ?? 5_000,
      begin: (runner) => this.begin(runner),
      onFailure: (error, failures) => this.failed(error, failures),
    });
    this.sampler = new Sampler(options.measureMs ?? 1_000, () => this.measure());
  }

  /** Starts to work or to stand by, and to measure its lag. */
  start(): void {
    this.owner.start();
    this.sampler.start();
  }

  /** There may be something new: call after a commit. A hint: the subscription also looks by itself. */
  wake(): void {
    this.owner.wake();
  }

  /** Finishes the page in hand, then gives the work to another process. */
  async stop(): Promise<void> {
    await Promise.all([this.owner.stop(), this.sampler.stop()]);
  }

  private async begin(runner: QueryRunner): Promise<() => Promise<Again>> {
    let place = await openCheckpoint(runner.manager, this.o.name);
    return async () => {
      const limit = this.careful > 0 ? 1 : (this.o.pageSize ?? 200);
      const page = await this.o.store.scan(this.o.source.manager, {
        after: place,
        limit,
        ...(this.o.types && { types: this.o.types }),
      });
      if (page.end) {
        await this.handle(runner, page, { from: place, to: page.end });
        place = page.end;
      }
      if (page.waiting) return page.end ? 'now' : 'soon';
      return page.more ? 'now' : 'later';
    };
  }

  private async handle(
    runner: QueryRunner,
    page: Scan<E>,
    move: { from: Cursor; to: Cursor },
  ): Promise<void> {
    await runner.startTransaction();
    try {
      await advanceCheckpoint(runner.manager, this.o.name, move);
      if (page.events.length > 0) await this.o.handler(runner.manager, page.events);
      await runner.commitTransaction();
    } catch (error) {
      if (!isConnectionError(error) && !hasMoved(error)) this.careful = Math.max(this.careful, page.looked);
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    }
    this.careful = Math.max(0, this.careful - 1);
    this.handled.add(page.events.length, this.labels);
  }

  private failed(error: unknown, failures: number): void {
    this.failures.add(1, this.labels);
    this.o.logger[hasMoved(error) || isConnectionError(error) ? 'warn' : 'error'](
      { err: error, ...this.labels, failures },
      'the subscription could not go on and tries again',
    );
  }

  private async measure(): Promise<void> {
    const place = await openCheckpoint(this.consumer.manager, this.o.name);
    const [lag] = await this.o.source.query<{ events: number; seconds: number }[]>(LAG, [
      place.tx,
      place.position,
      this.o.types ?? null,
    ]);
    this.lagEvents.record(lag!.events, this.labels);
    this.lagSeconds.record(lag!.seconds, this.labels);
  }

  private get labels(): { subscription: string } {
    return { subscription: this.o.name };
  }
}
