import { DomainError } from '@gridbourse/kernel';
import { type Logger, serviceMeter } from '@gridbourse/observability';
import type { ISocketFactory, Kafka } from 'kafkajs';
import { checkedRecord, DEFAULT_MAX_RECORD_BYTES } from '../delivery/checked-record.ts';
import { BusMetrics } from '../metrics.ts';
import type { PublishedRecord, EventBus, PartitionLag, SubscribeOptions, Subscription } from '../port.ts';
import { defaultRetryBudget, pause, type RetryBudget } from '../retry.ts';
import { migrateTables } from '../schema.ts';
import { kafkaClient } from './client.ts';
import { isRefused } from './errors.ts';
import { KafkaGroupConsumer } from './group-consumer.ts';
import { GroupOffsets } from './group-offsets.ts';
import type { KafkaConfig } from './kafka-config.ts';
import { headersOf } from './message.ts';
import { OwnerDatabase } from './owner-database.ts';
import { type Outgoing, Publisher } from './publisher.ts';
import { deadLetterTopicOf, Topics } from './topics.ts';

export type KafkaBusOptions = {
  readonly config: KafkaConfig;
  /**
   * A Postgres database that all members of the bus's groups share: that of the service. Dead letters and parked keys
   * live there, because Kafka cannot look a record up by its key.
   */
  readonly deadLetters: { readonly databaseUrl: string };
  readonly logger: Logger;
  readonly retry?: RetryBudget;
  /** Handlers of one subscription that run at once (8). Each may use a connection of its service's pool. */
  readonly concurrency?: number;
  /** Records of one partition that are decoded and not settled (500). Beyond that the partition is paused. */
  readonly maxUnsettled?: number;
  /** Bytes of one record's JSON (2 MiB). */
  readonly maxRecordBytes?: number;
  /** Milliseconds for which handlers in hand are waited for at the end (8000). */
  readonly graceMs?: number;
  /** Milliseconds between looks for keys that an operator wants replayed (500). */
  readonly pollMs?: number;
  /** How connections are opened, where it is not straight to the broker. */
  readonly socketFactory?: ISocketFactory;
};

/** The bus on Kafka. */
export class KafkaBus implements EventBus {
  private readonly kafka: Kafka;
  private readonly topics: Topics;
  private readonly publisher: Publisher;
  private readonly database: OwnerDatabase;
  private readonly offsets: GroupOffsets;
  private readonly consumers = new Set<KafkaGroupConsumer>();
  private readonly closingSignal = new AbortController();
  private started: Promise<void> | null = null;
  private closed = false;
  private ending: Promise<void> | null = null;

  constructor(private readonly options: KafkaBusOptions) {
    const { config, logger, deadLetters } = options;
    this.kafka = kafkaClient(config, logger, options.socketFactory);
    this.topics = new Topics(this.kafka, config, options.maxRecordBytes ?? DEFAULT_MAX_RECORD_BYTES);
    this.publisher = new Publisher(this.kafka, config, logger);
    this.offsets = new GroupOffsets(this.kafka);
    this.database = new OwnerDatabase(deadLetters.databaseUrl, (error) =>
      logger.warn({ err: error }, 'an idle connection to the database of dead letters was lost'),
    );
  }

  start(): Promise<void> {
    this.started ??= migrateTables(this.options.deadLetters.databaseUrl, ['dead-letters']).catch(
      (error: unknown) => {
        this.started = null;
        throw error;
      },
    );
    return this.started;
  }

  /** @throws also DomainError `bus_unavailable`, when Kafka is away for longer than `publishDeadlineMs` */
  async publish(records: readonly PublishedRecord[]): Promise<void> {
    if (this.closed) throw new DomainError('unavailable', 'bus_closed', 'the bus is closed');
    const outgoing = records.map((record) => this.encode(record));
    if (outgoing.length === 0) return;
    await this.ensureTopics(outgoing.map(({ topic }) => topic));
    await this.publisher.publish(outgoing);
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    if (this.closingSignal.signal.aborted)
      throw new DomainError('unavailable', 'bus_closed', 'the bus is closed');
    await this.start();
    await this.ensureTopics(options.topics.flatMap((topic) => [topic, deadLetterTopicOf(topic)]));
    const { config, logger } = this.options;
    const consumer = new KafkaGroupConsumer(
      options,
      {
        config,
        concurrency: this.options.concurrency ?? 8,
        maxUnsettled: this.options.maxUnsettled ?? 500,
        retry: this.options.retry ?? defaultRetryBudget,
        graceMs: this.options.graceMs ?? 8_000,
        pollMs: this.options.pollMs ?? 500,
      },
      {
        ...{ kafka: this.kafka, offsets: this.offsets, database: this.database },
        ...{ publisher: this.publisher, logger },
        metrics: new BusMetrics(serviceMeter(options.group)),
      },
    );
    this.consumers.add(consumer);
    consumer.start();
    return {
      close: async () => {
        await consumer.close();
        this.consumers.delete(consumer);
      },
    };
  }

  async lag(group: string): Promise<PartitionLag[]> {
    if (this.closed) throw new DomainError('unavailable', 'bus_closed', 'the bus is closed');
    const own = [...this.consumers].filter((consumer) => consumer.group === group);
    return this.offsets.lag(group, [...new Set(own.flatMap((consumer) => consumer.topics))]);
  }

  close(): Promise<void> {
    this.ending ??= this.end();
    return this.ending;
  }

  private async end(): Promise<void> {
    this.closingSignal.abort();
    // Handlers in hand may still publish.
    await Promise.all([...this.consumers].map((consumer) => consumer.close()));
    this.consumers.clear();
    this.closed = true;
    await this.publisher.close();
    await this.offsets.close();
    await this.database.close();
  }

  private encode(record: PublishedRecord): Outgoing {
    const { headers, text, bytes } = checkedRecord(record, this.options.maxRecordBytes);
    const { topic, key } = record;
    return { topic, bytes, message: { key, value: text, headers: headersOf(headers) } };
  }

  /** A broker that is just starting, or away, is waited for as long as a publication may take. */
  private async ensureTopics(topics: readonly string[]): Promise<void> {
    const until = performance.now() + this.options.config.publishDeadlineMs;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.topics.ensure(topics);
      } catch (error) {
        if (error instanceof DomainError || isRefused(error)) throw error;
        if (performance.now() >= until || this.closingSignal.signal.aborted) {
          throw new DomainError('unavailable', 'bus_unavailable', 'Kafka is away', { cause: error });
        }
        await pause(Math.min(1_000, 50 * 2 ** tries), this.closingSignal.signal);
      }
    }
  }
}
