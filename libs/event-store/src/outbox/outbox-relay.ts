import type { EventBus } from '@gridbourse/event-bus';
import type { EventCatalogue } from '@gridbourse/events';
import { type Logger, type Meter, serviceMeter } from '@gridbourse/observability';
import { isConnectionError } from '@gridbourse/postgres';
import type { DataSource, QueryRunner } from 'typeorm';
import { type Cursor, START } from '../cursor.ts';
import { type Again, SingleOwner } from '../single-owner.ts';
import { StoreGauges } from '../store-gauges.ts';
import { nextOutboxPage } from './outbox-reader.ts';
import { OutboxRecords } from './outbox-records.ts';
import type { RecentAppends } from './recent-appends.ts';

export type OutboxRelayOptions = {
  readonly dataSource: DataSource;
  /** The catalogue of the service's own events (the store's). */
  readonly catalogue: EventCatalogue;
  readonly bus: Pick<EventBus, 'publish'>;
  /** Of the store, where it appends in this process: what it has just written is not read back. */
  readonly recent?: RecentAppends;
  /** The bounded context, for example `matchmaker`. */
  readonly context: string;
  readonly logger: Logger;
  readonly meter?: Meter;
  /** Events read at once (1000). */
  readonly batchSize?: number;
  /** Milliseconds between looks without a wake-up (250). */
  readonly pollMs?: number;
  /** Milliseconds between two measurements of the lag (1000). */
  readonly measureMs?: number;
};

const CHECKPOINT = `SELECT tx::text AS tx, position FROM outbox_checkpoint`;
const ADVANCE = `UPDATE outbox_checkpoint SET tx = $1::xid8, position = $2::bigint`;

/**
 * How far a relay has come, and how many private events lie between that and the checkpoint: to pass a few of them once more
 * costs less than to write a checkpoint for each.
 */
type Way = { readonly place: Cursor; readonly unsaved: number };

/** One process of the service relays; the lock's name is the database itself, so this name can be fixed. */
const LOCK = 'gridbourse:outbox-relay';

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
  private readonly records: OutboxRecords;

  constructor(options: OutboxRelayOptions) {
    this.o = options;
    const { dataSource, context, measureMs: everyMs = 1_000 } = options;
    const meter = options.meter ?? serviceMeter(context);
    this.relayed = meter.createCounter('outbox_relayed_total', { description: 'Events published' });
    this.failures = meter.createCounter('outbox_failures_total', {
      description: 'Times the relay could not publish or lost its database',
    });
    this.gauges = new StoreGauges({ dataSource, context, meter, everyMs });
    this.records = new OutboxRecords(options.catalogue);
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
    this.o.recent?.end();
  }

  /** Goes on where the owner before has stopped. */
  private async begin(runner: QueryRunner): Promise<() => Promise<Again>> {
    const [checkpoint] = (await runner.query(CHECKPOINT)) as Cursor[];
    let way: Way = { place: checkpoint ?? START, unsaved: 0 };
    this.o.recent?.begin();
    return async () => {
      const round = await this.relay(runner, way);
      way = round.way;
      return round.again;
    };
  }

  private failed(error: unknown, failures: number): void {
    this.o.recent?.end();
    this.failures.add(1, { context: this.o.context });
    this.o.logger[isConnectionError(error) ? 'warn' : 'error'](
      { err: error, context: this.o.context, failures },
      'the outbox relay could not go on and tries again',
    );
  }

  /** Publishes what comes next. @returns where the next round begins */
  private async relay(runner: QueryRunner, { place, unsaved }: Way): Promise<{ way: Way; again: Again }> {
    const limit = this.o.batchSize ?? 1_000;
    const { recent } = this.o;
    const { events, last, looked, again } = await nextOutboxPage(runner, { after: place, limit, recent });
    if (!last) return { way: { place, unsaved }, again };
    if (events.length > 0) await this.o.bus.publish(events.map((event) => this.records.recordOf(event)));
    const passed = unsaved + looked;
    const saves = events.length > 0 || passed >= limit;
    if (saves) await runner.query(ADVANCE, [last.tx, last.position]);
    recent?.passed(last.tx);
    this.relayed.add(events.length, { context: this.o.context });
    return { way: { place: last, unsaved: saves ? 0 : passed }, again };
  }
}
