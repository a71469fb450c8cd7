import { CLOCK, LOGGER, Outbox, PeriodicTasks, RANDOM, Readiness, SERVICE_CONFIG } from '@gridbourse/api';
import type { EventContext } from '@gridbourse/event-bus';
import { EventStore, GroupCommitWriter } from '@gridbourse/event-store';
import { type Clock, newId, type OrderId, type Random } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { anythingDue, meetDeadlines } from '../domain/process/deadlines.ts';
import type { Exchange } from '../domain/process/exchange.ts';
import { rematch } from '../domain/process/rematch.ts';
import { type Circumstances, decide, type Outcome, UnitOfWork } from '../domain/process/unit-of-work.ts';
import type { MatchmakerConfig } from '../matchmaker.config.ts';
import { project, type TimelinePoint } from '../read-models/projection.ts';
import { AuctionSignals } from './auction-signals.ts';
import { loadExchange } from './load-exchange.ts';
import { OrderSignals } from './order-signals.ts';
import { placedAppends, TimelinePlaces } from './timeline-places.ts';
import { WriterEpoch } from './writer-epoch.ts';

export type ExecuteOptions<R> = {
  /** The event of the bus that this decision answers: noted in the inbox in the same transaction. */
  readonly context?: EventContext;
  /** More to write in the same transaction. `at`: when and where it stands in the timeline. */
  readonly alsoWrite?: (manager: EntityManager, result: R, at: TimelinePoint) => Promise<void>;
  /** Orders whose watchers are woken although nothing of ours has changed. */
  readonly concerns?: readonly OrderId[];
};

/**
 * The one place where the matchmaker's state changes: decisions queue, are taken one after the other against the state
 * in memory, and are committed in groups together with their events, read models and inbox entries.
 */
@Injectable()
export class Matchmaker implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  private current: Exchange | null = null;
  private places = new TimelinePlaces(0n);
  private readonly writer: GroupCommitWriter;
  private readonly epoch: WriterEpoch;
  /** Outcomes that the transaction has still to project. */
  private readonly collected = new WeakMap<EntityManager, Outcome[]>();
  private rematching: Promise<void> | null = null;
  private stopping = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly store: EventStore,
    private readonly periodicTasks: PeriodicTasks,
    private readonly signals: OrderSignals,
    private readonly auctionSignals: AuctionSignals,
    readiness: Readiness,
    outbox: Outbox,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(RANDOM) private readonly random: Random,
    @Inject(SERVICE_CONFIG) private readonly config: MatchmakerConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.epoch = new WriterEpoch(dataSource);
    this.writer = new GroupCommitWriter({
      dataSource,
      store,
      onReload: () => this.reload(),
      beforeEvents: (manager) => this.flush(manager),
      afterCommit: () => outbox.wake(),
      logger,
    });
    readiness.add('writer', () => this.dataSource.transaction((manager) => this.epoch.check(manager)));
  }

  async onModuleInit(): Promise<void> {
    this.places = new TimelinePlaces(await this.epoch.take());
    this.current = await loadExchange(this.dataSource, this.store);
    const orders = [...this.current.orders()].length;
    this.logger.info({ orders, waiting: this.current.waitingOrders().length }, 'state rebuilt');
  }

  onApplicationBootstrap(): void {
    this.periodicTasks.every({ name: 'deadlines', everyMs: this.config.deadlineCheckMs }, async () => {
      if (anythingDue(new UnitOfWork(this.exchange, this.circumstances()))) await this.execute(meetDeadlines);
      if (this.exchange.rematchPending) this.startRematch();
    });
  }

  /** The state in memory. Read only, and only within one turn of the event loop: it may be ahead of what is committed. */
  get exchange(): Exchange {
    if (!this.current) throw new Error('the matchmaker has not been loaded');
    return this.current;
  }

  /**
   * Takes a decision and commits it.
   * @returns what `work` returned, once it is committed
   * @throws DomainError whatever `work` throws, then nothing has changed; and as GroupCommitWriter.execute does
   */
  async execute<R>(work: (unit: UnitOfWork) => R, options: ExecuteOptions<R> = {}): Promise<R> {
    const { result, outcome } = await this.writer.execute(() => {
      const circumstances = this.circumstances();
      const decision = decide(this.exchange, circumstances, work);
      const { now } = circumstances;
      const places = this.places.take(decision.outcome.emitted.length);
      return {
        appends: placedAppends(decision.outcome, places, now),
        result: decision,
        inTransaction: (manager) =>
          this.alongside(manager, decision, { atMs: now, place: places.cause }, options),
      };
    });
    this.signals.notify(outcome.emitted.map(({ orderId }) => orderId));
    if (options.concerns) this.signals.notify(options.concerns);
    if (outcome.emitted.some(({ event }) => event.type === 'BiddingOpened')) {
      this.auctionSignals.notify(['opened']);
    }
    if (this.exchange.rematchPending) this.startRematch();
    return result;
  }

  private alongside<R>(
    manager: EntityManager,
    decision: { result: R; outcome: Outcome },
    heard: TimelinePoint,
    options: ExecuteOptions<R>,
  ): void | Promise<void | 'skip'> {
    const { outcome } = decision;
    if (options.context || options.alsoWrite) return this.writeOwn(manager, decision, heard, options);
    if (outcome.emitted.length === 0) return;
    const collected = this.collected.get(manager);
    if (!collected) return this.collectFirst(manager, outcome);
    collected.push(outcome);
  }

  private async collectFirst(manager: EntityManager, outcome: Outcome): Promise<void> {
    await this.epoch.check(manager);
    this.collected.set(manager, [outcome]);
  }

  private async writeOwn<R>(
    manager: EntityManager,
    { result, outcome }: { result: R; outcome: Outcome },
    heard: TimelinePoint,
    { context, alsoWrite }: ExecuteOptions<R>,
  ): Promise<void | 'skip'> {
    await this.epoch.check(manager);
    // What was collected so far first: the words of others may be of leases that are new in this batch.
    await this.flush(manager);
    const note = { heardAtMs: heard.atMs, note: { place: heard.place } };
    if (context && (await context.recordInbox(manager, note)) === 'duplicate') return 'skip';
    await alsoWrite?.(manager, result, heard);
    const collected = this.collected.get(manager);
    if (collected) collected.push(outcome);
    else this.collected.set(manager, [outcome]);
  }

  /** Writes what the decisions of this transaction have collected. */
  private async flush(manager: EntityManager): Promise<void> {
    const collected = this.collected.get(manager);
    if (collected && collected.length > 0) await project(manager, collected.splice(0));
  }

  private circumstances(): Circumstances {
    const now = this.clock.now();
    return { now, newLeaseId: () => newId('lease', now, this.random), policies: this.config };
  }

  private async reload(): Promise<void> {
    await this.dataSource.transaction((manager) => this.epoch.check(manager));
    this.current = await loadExchange(this.dataSource, this.store);
    this.logger.warn({}, 'a commit failed; state rebuilt');
  }

  /** Tries those who wait, some at a time, so that other decisions get their turn in between. */
  private startRematch(): void {
    if (this.rematching || this.stopping) return;
    const round = async (): Promise<void> => {
      while (this.exchange.rematchPending && !this.stopping) {
        const { tried, placed } = await this.execute(rematch);
        if (placed > 0) this.logger.info({ tried, placed }, 'waiting orders placed');
      }
    };
    // After a failure the next look at the deadlines starts another round.
    this.rematching = round()
      .catch((error: unknown) => this.logger.error({ err: error }, 'waiting orders could not be tried'))
      .finally(() => (this.rematching = null));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await this.writer.stop();
    await this.rematching;
  }
}
