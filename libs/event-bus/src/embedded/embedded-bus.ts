import { randomUUID } from 'node:crypto';
import { DomainError } from '@gridbourse/kernel';
import { type Logger, serviceMeter } from '@gridbourse/observability';
import pg from 'pg';
import { BusMetrics } from '../metrics.ts';
import { lagOf } from '../lag.ts';
import type { EventBus, PartitionLag, PublishedRecord, SubscribeOptions, Subscription } from '../port.ts';
import { defaultRetryBudget, type RetryBudget } from '../retry.ts';
import { WAKE_CHANNEL } from '../dead-letters/wake.ts';
import { checkedRecord, checkedTopic } from '../delivery/checked-record.ts';
import { migrateTables } from '../schema.ts';
import { GroupConsumer } from './group-consumer.ts';
import { appendToLog, type PlacedRecord } from './log-writer.ts';
import { partitionOf } from './partitioner.ts';

export type EmbeddedBusOptions = {
  /** A Postgres database of the bus's own. */
  readonly databaseUrl: string;
  readonly logger: Logger;
  /** Partitions of topics that do not exist yet (8): the most members of a group that can share a topic. */
  readonly partitions?: number;
  readonly retry?: RetryBudget;
  /** Handlers of one subscription that run at once (8). Each may use a connection of its service's pool. */
  readonly concurrency?: number;
  /** Milliseconds between looks at the log when no wake-up comes (500). */
  readonly pollMs?: number;
  /** Milliseconds between looks at who is alive (500). */
  readonly rebalanceMs?: number;
  /** Records of one partition that a consumer takes in before they are settled (500). */
  readonly maxUnsettled?: number;
  /** Bytes of one record's JSON (2 MiB). */
  readonly maxRecordBytes?: number;
  /** Milliseconds for which handlers in hand are waited for at the end (8000). */
  readonly graceMs?: number;
  /** Connections for publishing (8). */
  readonly maxConnections?: number;
};

const RECORDS_PER_CALL = 4_000;

/** The bus on nothing but Postgres: what runs standalone, and the reference for what other adapters must do. */
export class EmbeddedBus implements EventBus {
  private readonly id = randomUUID();
  private readonly pool: pg.Pool;
  private readonly consumers = new Set<GroupConsumer>();
  private readonly partitionCounts = new Map<string, number>();
  private readonly publishing = new Set<Promise<void>>();
  private started: Promise<void> | null = null;
  private closing = false;
  private closed = false;
  private ending: Promise<void> | null = null;
  private notifying = false;
  private readonly toAnnounce = new Set<string>();

  constructor(private readonly options: EmbeddedBusOptions) {
    this.pool = new pg.Pool({
      connectionString: options.databaseUrl,
      max: options.maxConnections ?? 8,
      connectionTimeoutMillis: 10_000,
      application_name: 'gridbourse-bus publisher',
      // Whoever stops in the middle of an append keeps others from its partitions no longer than this.
      idle_in_transaction_session_timeout: 20_000,
      keepAlive: true,
    });
    this.pool.on('error', (error) =>
      options.logger.warn({ err: error }, 'an idle connection to the bus database was lost'),
    );
  }

  start(): Promise<void> {
    this.started ??= migrateTables(this.options.databaseUrl, ['bus', 'dead-letters']).catch(
      (error: unknown) => {
        this.started = null;
        throw error;
      },
    );
    return this.started;
  }

  async publish(records: readonly PublishedRecord[]): Promise<void> {
    if (this.closed) throw new DomainError('unavailable', 'bus_closed', 'the bus is closed');
    if (records.length === 0) return;
    const work = this.write(records);
    this.publishing.add(work);
    try {
      await work;
    } finally {
      this.publishing.delete(work);
    }
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    if (this.closing) throw new DomainError('unavailable', 'bus_closed', 'the bus is closed');
    await this.start();
    await this.ensureTopics(options.topics);
    const partitions = [...options.topics]
      .sort()
      .flatMap((topic) =>
        Array.from({ length: this.partitionCounts.get(topic)! }, (_, partition) => ({ topic, partition })),
      );
    const consumer = new GroupConsumer(
      this.options.databaseUrl,
      options,
      partitions,
      {
        pollMs: this.options.pollMs ?? 500,
        rebalanceMs: this.options.rebalanceMs ?? 500,
        concurrency: this.options.concurrency ?? 8,
        maxUnsettled: this.options.maxUnsettled ?? 500,
        retry: this.options.retry ?? defaultRetryBudget,
        graceMs: this.options.graceMs ?? 8_000,
        busId: this.id,
      },
      this.options.logger,
      new BusMetrics(serviceMeter(options.group)),
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
    const topics = [...new Set(own.flatMap((consumer) => consumer.topics))];
    const { rows } = await this.pool.query<{
      topic: string;
      partition: number;
      committed: string;
      end: string;
    }>(
      `SELECT p.topic, p.partition, coalesce(o.next_offset, 0) AS committed, p.next_offset AS "end"
       FROM bus_partitions p
       LEFT JOIN bus_offsets o
         ON o.consumer_group = $1 AND o.topic = p.topic AND o.partition = p.partition
       WHERE p.topic = ANY($2::text[]) ORDER BY p.topic, p.partition`,
      [group, topics],
    );
    return rows.map((row) => lagOf(row.topic, row.partition, Number(row.committed), Number(row.end)));
  }

  close(): Promise<void> {
    this.ending ??= this.end();
    return this.ending;
  }

  private async end(): Promise<void> {
    this.closing = true;
    // Handlers in hand may still publish.
    await Promise.all([...this.consumers].map((consumer) => consumer.close()));
    this.consumers.clear();
    this.closed = true;
    await Promise.allSettled([...this.publishing]);
    await this.pool.end();
  }

  private async write(records: readonly PublishedRecord[]): Promise<void> {
    await this.start();
    await this.ensureTopics([...new Set(records.map((record) => record.topic))]);
    const placed = records.map((record) => this.place(record));
    for (let at = 0; at < placed.length; at += RECORDS_PER_CALL) {
      await appendToLog(this.pool, placed.slice(at, at + RECORDS_PER_CALL));
    }
    this.hint(new Set(records.map((record) => record.topic)));
  }

  private place(record: PublishedRecord): PlacedRecord {
    const { headers, text } = checkedRecord(record, this.options.maxRecordBytes);
    const { topic, key } = record;
    const partition = partitionOf(key, this.partitionCounts.get(topic)!);
    return { topic, partition, key, headers: JSON.stringify(headers), value: text };
  }

  /** Topics are made by whoever first names them; the number of their partitions never changes after that. */
  private async ensureTopics(topics: readonly string[]): Promise<void> {
    const unknown = topics.filter((topic) => !this.partitionCounts.has(topic)).sort();
    if (unknown.length === 0) return;
    for (const topic of unknown) checkedTopic(topic);
    await this.pool.query(
      `WITH created AS (
         INSERT INTO bus_topics (topic, partitions) SELECT t, $2 FROM unnest($1::text[]) AS t ORDER BY t
         ON CONFLICT DO NOTHING RETURNING topic, partitions
       )
       INSERT INTO bus_partitions (topic, partition)
       SELECT topic, n FROM created, generate_series(0, partitions - 1) AS n`,
      [unknown, this.options.partitions ?? 8],
    );
    const { rows } = await this.pool.query<{ topic: string; partitions: number }>(
      'SELECT topic, partitions FROM bus_topics WHERE topic = ANY($1::text[])',
      [unknown],
    );
    for (const row of rows) this.partitionCounts.set(row.topic, row.partitions);
  }

  /** Wakes the consumers in this process at once, and those of other processes by a notification. */
  private hint(topics: ReadonlySet<string>): void {
    for (const consumer of this.consumers) {
      if (consumer.topics.some((topic) => topics.has(topic))) consumer.wake();
    }
    for (const topic of topics) this.toAnnounce.add(topic);
    void this.notifyOthers();
  }

  /**
   * NOTIFY takes a lock of the whole cluster at commit, so it has a transaction of its own, one at a time. It is a hint:
   * when it is lost, the next poll finds the record.
   */
  private async notifyOthers(): Promise<void> {
    if (this.notifying) return;
    this.notifying = true;
    try {
      while (this.toAnnounce.size > 0 && !this.closed) {
        const topics = [...this.toAnnounce].slice(0, 30); // a payload has at most 8000 bytes
        for (const topic of topics) this.toAnnounce.delete(topic);
        await this.pool.query('SELECT pg_notify($1, $2)', [WAKE_CHANNEL, `${this.id} ${topics.join()}`]);
      }
    } catch (error) {
      this.options.logger.debug({ err: error }, 'a wake-up could not be sent');
    } finally {
      this.notifying = false;
    }
  }
}
