import { DomainError } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { type Kafka, type Message, Partitioners, type Producer } from 'kafkajs';
import { pause } from '../retry.ts';
import { hasLostCount, isRefused } from './errors.ts';
import type { KafkaConfig } from './kafka-config.ts';

export type Outgoing = { readonly topic: string; readonly message: Message; readonly bytes: number };

/** What one call wants written; it is done when all of it is. */
type Call = { left: number; readonly done: PromiseWithResolvers<void>; failed: boolean };
type Queued = Outgoing & { readonly call: Call };

/** Messages of a request for one partition become one batch, which must stay below `max.message.bytes`. */
const REQUEST_BYTES = 1_024 * 1_024;
const REQUEST_RECORDS = 2_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * The one producer of a bus. Calls that come while a request is under way share the next one. Kafka numbers what an
 * idempotent producer sends, so a request that is sent again is written once; kafkajs keeps that promise with one
 * request in flight only.
 */
export class Publisher {
  private producer: Promise<Producer> | null = null;
  private readonly queue: Queued[] = [];
  private sending: Promise<void> | null = null;
  private readonly closing = new AbortController();

  constructor(
    private readonly kafka: Kafka,
    private readonly config: KafkaConfig,
    private readonly logger: Logger,
  ) {}

  /**
   * Durable when resolved. After an error some of it may have been written.
   * @throws DomainError `bus_unavailable` after `publishDeadlineMs`, `record_refused`
   */
  publish(records: readonly Outgoing[]): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    const call: Call = { left: records.length, done: Promise.withResolvers<void>(), failed: false };
    for (const record of records) this.queue.push({ ...record, call });
    this.sending ??= this.drain().finally(() => (this.sending = null));
    return call.done.promise;
  }

  /** Sends what has been handed over, or gives up at once if Kafka is away. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.sending;
    await this.forget();
  }

  private async drain(): Promise<void> {
    // The calls of this turn of the loop go together.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const request = this.nextRequest();
      try {
        await this.send(request);
        for (const { call } of request) {
          call.left -= 1;
          if (call.left === 0) call.done.resolve();
        }
      } catch (error) {
        this.fail(new Set(request.map(({ call }) => call)), error);
      }
    }
  }

  private nextRequest(): Queued[] {
    let bytes = 0;
    let count = 0;
    for (const { bytes: size } of this.queue) {
      if (count > 0 && (bytes + size > REQUEST_BYTES || count >= REQUEST_RECORDS)) break;
      bytes += size;
      count += 1;
    }
    return this.queue.splice(0, count);
  }

  /** What a call has behind a request that failed is not sent either: it would overtake. */
  private fail(calls: ReadonlySet<Call>, error: unknown): void {
    const kept = this.queue.filter(({ call }) => !calls.has(call));
    this.queue.splice(0, this.queue.length, ...kept);
    for (const call of calls) call.done.reject(error);
  }

  private async send(request: readonly Queued[]): Promise<void> {
    const byTopic = new Map<string, Message[]>();
    for (const { topic, message } of request) {
      const messages = byTopic.get(topic);
      if (messages) messages.push(message);
      else byTopic.set(topic, [message]);
    }
    const topicMessages = [...byTopic].map(([topic, messages]) => ({ topic, messages }));
    const until = performance.now() + this.config.publishDeadlineMs;
    for (let tries = 1; ; tries += 1) {
      try {
        const producer = await this.connected();
        await producer.sendBatch({ topicMessages, acks: -1, timeout: this.config.requestTimeoutMs });
        return;
      } catch (error) {
        const late = performance.now() >= until || this.closing.signal.aborted;
        // The same producer sends the same request under the same numbers, so that what was written is not written again.
        // Other records must never get those numbers: Kafka would take them for a repetition and drop them.
        if (late || isRefused(error) || hasLostCount(error)) await this.forget();
        if (isRefused(error)) {
          throw new DomainError('internal', 'record_refused', `Kafka refuses the records: ${String(error)}`, {
            cause: error,
          });
        }
        if (late) throw new DomainError('unavailable', 'bus_unavailable', 'Kafka is away', { cause: error });
        this.logger.warn({ err: error, tries }, 'records could not be published and are sent again');
        await pause(
          Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries, 10)),
          this.closing.signal,
        );
      }
    }
  }

  private connected(): Promise<Producer> {
    this.producer ??= this.connect().catch((error: unknown) => {
      this.producer = null;
      throw error;
    });
    return this.producer;
  }

  private async connect(): Promise<Producer> {
    const producer = this.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      // murmur2, as every Kafka client has it: the same key goes to the same partition whoever publishes.
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 4 },
    });
    await producer.connect();
    return producer;
  }

  private async forget(): Promise<void> {
    const { producer } = this;
    this.producer = null;
    await producer?.then((connected) => connected.disconnect()).catch(() => undefined);
  }
}
