import {
  type DomainEvent,
  type EventCatalogue,
  type EventDefinition,
  parseCloudEventType,
  publishedLanguage,
  topicOf,
} from '@gridbourse/events';
import { type Clock, DomainError, systemClock } from '@gridbourse/kernel';
import { type Logger, type Meter, serviceMeter } from '@gridbourse/observability';
import { isConnectionError } from '@gridbourse/postgres';
import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import type { DataSource } from 'typeorm';
import { type InboxEntry, inboxGap, peekInbox, recordInbox, recordInboxes } from '../inbox.ts';
import { type JournalEntry, registerJournal, writeJournal } from '../journal.ts';
import { inDeliveryScope } from '../delivery-scope.ts';
import { BusMetrics } from '../metrics.ts';
import { type Delivery, type EventBus, PermanentFailure, RetryLater, type Subscription } from '../port.ts';
import { EventContext, type Hearing } from './event-context.ts';
import { checkJournal } from './journal-check.ts';
import { BUS_TRANSPORT, type OnEventExtras, patternOf } from './on-event.ts';

export type BusStrategyOptions = {
  readonly bus: EventBus;
  /** The database of the service, with the table of `inboxMigrationSql`. */
  readonly dataSource: DataSource;
  /** The consumer group: the name of the service. */
  readonly group: string;
  /** What the service can read; by default everything that is published. */
  readonly catalogue?: EventCatalogue;
  /**
   * What the service's read models hear. Given, the strategy refuses to start where that and what is kept in the journal differ
   * (`checkJournal`).
   */
  readonly heard?: readonly EventDefinition[];
  /** Says when an event was heard. */
  readonly clock?: Clock;
  readonly logger: Logger;
  readonly meter?: Meter;
};

type Handling = { readonly extras: OnEventExtras; readonly call: MessageHandler };
type Handled = {
  readonly event: DomainEvent;
  readonly handlers: readonly Handling[];
  /** Whether the event is kept, so that what is made of it can be rebuilt. */
  readonly journal: boolean;
};

/** A delivery that can share a transaction, with its handlers; none where nobody here asked for it. */
type Prepared = { readonly delivery: Delivery; readonly handled: Handled | null };

const entryOfJournal = (delivery: Delivery, { heardAtMs }: Hearing): JournalEntry => ({
  ...delivery,
  heardAtMs,
  note: null,
});

/**
 * Nest's side of the bus. Each event is handled and noted in the inbox in one transaction of the service's database, so
 * its effect happens exactly once though it may be delivered more often.
 */
export class BusStrategy extends Server implements CustomTransportStrategy {
  /** Nest leaves the report of a failure to us. */
  override readonly propagatesEventHandlerErrors = true;
  override transportId = BUS_TRANSPORT;
  private readonly chains = new Map<string, Handling[]>();
  private readonly catalogue: EventCatalogue;
  private readonly known: ReadonlyMap<string, EventDefinition>;
  private readonly metrics: BusMetrics;
  private readonly clock: Clock;
  private subscription: Subscription | null = null;

  constructor(private readonly options: BusStrategyOptions) {
    super();
    this.catalogue = options.catalogue ?? publishedLanguage;
    this.known = new Map(this.catalogue.all().map((definition) => [patternOf(definition), definition]));
    this.clock = options.clock ?? systemClock;
    this.metrics = new BusMetrics(options.meter ?? serviceMeter(options.group));
  }

  /**
   * The base class links the second handler of a pattern to the first, which calls it without waiting and fails at the
   * first error. Here they stay apart.
   */
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    const key = this.normalizePattern(pattern as string);
    callback.isEventHandler = isEventHandler;
    callback.extras = extras;
    const handling = { extras: extras as unknown as OnEventExtras, call: callback };
    this.chains.set(key, [...(this.chains.get(key) ?? []), handling]);
    if (!this.messageHandlers.has(key)) this.messageHandlers.set(key, callback);
  }

  listen(callback: (error?: unknown) => void): void {
    this.subscribe().then(() => callback(), callback);
  }

  /** Finishes what is in hand. */
  async close(): Promise<void> {
    await this.subscription?.close();
    this.subscription = null;
  }

  on(): never {
    throw new Error('the bus has no events of its own');
  }

  unwrap<T>(): T {
    return this.options.bus as T;
  }

  private async subscribe(): Promise<void> {
    const topics = new Set<string>();
    for (const [pattern, handlers] of this.chains) {
      const first = handlers[0]?.extras;
      if (!first?.definition) throw new Error(`${pattern} was not declared with @OnEvent`);
      this.catalogue.definition(first.definition.type); // throws for an event that could not be decoded
      if (handlers.length > 1 && handlers.some(({ extras }) => extras.transaction === 'handler')) {
        throw new Error(`${pattern} has a handler with its own transaction, so it can have no other`);
      }
      topics.add(topicOf(first.definition));
    }
    if (topics.size === 0) return;
    const kept = [...this.chains.values()]
      .filter((handlers) => handlers.some((handling) => this.mayKeep(handling)))
      .map((handlers) => handlers[0]!.extras.definition);
    const { heard, group } = this.options;
    if (heard)
      checkJournal(
        kept,
        heard.filter(({ context }) => context !== group),
      );
    await registerJournal(this.options.dataSource.manager, this.options.group, kept);
    this.subscription = await this.options.bus.subscribe({
      group: this.options.group,
      topics: [...topics].sort(),
      handler: (delivery) => this.deliver(delivery),
      batch: {
        prepare: (delivery) => this.prepare(delivery),
        handle: (prepared: readonly Prepared[]) => this.deliverTogether(prepared),
      },
      onSkip: (delivery) => this.skip(delivery),
    });
  }

  private async deliver(delivery: Delivery): Promise<void> {
    try {
      const handled = this.resolve(delivery);
      if (!handled) await this.pass(delivery);
      else if (handled.handlers[0]!.extras.transaction === 'handler') await this.inHandler(delivery, handled);
      else await this.inTransaction(delivery, handled);
    } catch (error) {
      throw await this.classify(error, delivery);
    }
  }

  /** What the effect of an event takes if it can be part of a transaction with others. */
  private prepare(delivery: Delivery): Prepared | null {
    const handled = this.resolve(delivery);
    return handled?.handlers[0]?.extras.transaction === 'handler' ? null : { delivery, handled };
  }

  /** One transaction for the inbox and the effects of several events: all of them or none. */
  private async deliverTogether(prepared: readonly Prepared[]): Promise<void> {
    const { group, dataSource } = this.options;
    await dataSource.transaction(async (manager) => {
      const places = await recordInboxes(
        manager,
        group,
        prepared.map(({ delivery }) => delivery),
      );
      const fresh = places.flatMap((place) => {
        const { delivery, handled } = prepared[place]!;
        return handled ? [{ delivery, handled, hearing: this.hearingOf(handled) }] : [];
      });
      const kept = fresh.filter(({ hearing }) => hearing.journal);
      await writeJournal(
        manager,
        group,
        kept.map(({ delivery, hearing }) => entryOfJournal(delivery, hearing)),
      );
      for (const { delivery, handled, hearing } of fresh) {
        const context = new EventContext(delivery, this.entryOf(delivery), manager, hearing);
        await inDeliveryScope(group, delivery.headers, async () => {
          for (const handler of handled.handlers) await this.call(handler.call, handled.event, context);
        });
      }
    });
  }

  /** Which handlers the event has, decoded for them; null when nobody here asked for it. */
  private resolve({ headers, value, topic }: Delivery): Handled | null {
    const parsed = parseCloudEventType(headers.ce_type);
    const known = parsed && this.known.get(patternOf(parsed));
    if (!parsed || !known) {
      throw new PermanentFailure('unknown_event', `${headers.ce_type} in ${topic} is not known here`);
    }
    const handlers = this.chains.get(patternOf(known));
    if (!handlers) return null;
    try {
      const stored = { type: parsed.type, schemaVersion: parsed.version, data: value };
      const event = this.catalogue.decode(stored);
      return { event, handlers, journal: handlers.some((handling) => this.keeps(handling, event)) };
    } catch (error) {
      const code = error instanceof DomainError ? error.code : 'event_not_decodable';
      const faults =
        error instanceof DomainError ? error.faults.map((f) => ` ${f.pointer} ${f.message}`).join() : '';
      throw new PermanentFailure(code, `${headers.ce_type} in ${topic} cannot be read:${faults}`, error);
    }
  }

  /** A service has its own events in its store. */
  private mayKeep({ extras: { definition, journal } }: Handling): boolean {
    return journal !== false && definition.context !== this.options.group;
  }

  private keeps(handling: Handling, event: DomainEvent): boolean {
    const { journal } = handling.extras;
    return this.mayKeep(handling) && (typeof journal !== 'function' || journal(event));
  }

  /** One transaction for the inbox and the effects of all handlers. */
  private async inTransaction(delivery: Delivery, handled: Handled): Promise<void> {
    const entry = this.entryOf(delivery);
    await this.options.dataSource.transaction(async (manager) => {
      const context = new EventContext(delivery, entry, manager, this.hearingOf(handled));
      if ((await context.recordInbox(manager)) === 'duplicate') return;
      // One after the other: they share one connection.
      for (const handler of handled.handlers) await this.call(handler.call, handled.event, context);
    });
  }

  private async inHandler(delivery: Delivery, handled: Handled): Promise<void> {
    const { dataSource } = this.options;
    const entry = this.entryOf(delivery);
    const { state, seen } = await peekInbox(dataSource.manager, entry);
    if (state === 'gap') throw inboxGap(entry, seen);
    if (state === 'duplicate') return;
    const context = new EventContext(delivery, entry, null, this.hearingOf(handled));
    await this.call(handled.handlers[0]!.call, handled.event, context);
    if (context.inboxRecorded) return;
    // A handler that found nothing to do opened no transaction.
    if (handled.journal) await dataSource.transaction((manager) => context.recordInbox(manager));
    else await recordInbox(dataSource.manager, entry);
  }

  private async call(handler: MessageHandler, event: DomainEvent, context: EventContext): Promise<void> {
    // A handler's promise resolves even where it failed: to an Observable that errors.
    const result$ = this.transformToObservable(await handler(event, context));
    await lastValueFrom(result$, { defaultValue: undefined });
  }

  /** Nobody here asked for events of this type: only the place in line is noted. */
  private async pass(delivery: Delivery): Promise<void> {
    await recordInbox(this.options.dataSource.manager, this.entryOf(delivery));
  }

  private async skip(delivery: Delivery): Promise<void> {
    try {
      await this.pass(delivery);
    } catch (error) {
      throw await this.classify(error, delivery);
    }
  }

  private hearingOf({ journal }: Handled): Hearing {
    return { heardAtMs: this.clock.now(), journal };
  }

  private entryOf({ topic, key, sequence }: Delivery): InboxEntry {
    return { consumer: this.options.group, topic, key, sequence };
  }

  private async classify(error: unknown, { topic, key, sequence }: Delivery): Promise<unknown> {
    const { group, logger } = this.options;
    if (error instanceof DomainError && error.code === 'inbox_gap') {
      this.metrics.gap({ group, topic });
      logger.error({ err: error, group, topic, key, sequence }, 'a gap in the sequence: the key is held');
    }
    if (isConnectionError(error) && !(await this.databaseAnswers())) {
      return new RetryLater('the database of the service is away', error);
    }
    return error;
  }

  private async databaseAnswers(): Promise<boolean> {
    try {
      await this.options.dataSource.query('SELECT 1');
      return true;
    } catch {
      return false;
    }
  }
}
