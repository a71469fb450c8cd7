import { eventHeaders } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { inDeliveryScope } from '../delivery-scope.ts';
import { type Delivery, PermanentFailure, RetryLater, type SubscribeOptions } from '../port.ts';
import { delayAfter, pause, type RetryBudget } from '../retry.ts';
import type { BusMetrics } from '../metrics.ts';
import { Hands } from './hands.ts';
import type { Failure, LoggedRecord, PartitionLetters } from './record.ts';
import type { Batcher } from './batcher.ts';
import type { Slots } from './signal.ts';
import { Watermark } from './watermark.ts';

/** A record in turn, or the wish to take up a parked key again. */
type Job = { readonly kind: 'record'; readonly record: LoggedRecord } | { readonly kind: 'replay' };

type Outcome = 'handled' | Failure;

/** Records of one key that are handled together. */
const LONGEST_RUN = 50;

/** Thrown inside a lane to leave it: the partition is being given up, whatever is not settled is delivered again. */
class Stopped extends Error {}

const textOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (cause: ${error.cause.message})` : '';
  return `${error.name}: ${error.message}${cause}`.slice(0, 4_000);
};

const codeOf = (error: unknown): string | null =>
  error instanceof PermanentFailure || error instanceof DomainError ? error.code : null;

export type WorkerOptions = {
  readonly subscription: SubscribeOptions;
  readonly topic: string;
  readonly partition: number;
  /** Everything below has been settled. */
  readonly firstOffset: number;
  readonly parkedKeys: readonly string[];
  readonly letters: PartitionLetters;
  readonly slots: Slots;
  /** Where the subscription can handle several records together. */
  readonly batcher: Batcher | null;
  readonly retry: RetryBudget;
  /** How many records may be taken in that are not settled yet. */
  readonly maxUnsettled: number;
  readonly logger: Logger;
  readonly metrics: BusMetrics;
  /** Progress was made: there may be room again, and an offset to note. */
  readonly onProgress: () => void;
  /** The store failed: this consumer must give up its session. */
  readonly onBroken: (error: unknown) => void;
};

/**
 * One owned partition. Each key is a lane: its records one after the other, lanes side by side. A record is settled when
 * its handler has succeeded or when it is kept as a dead letter; the offset to note is the first that is not settled.
 */
export class PartitionWorker {
  readonly topic: string;
  readonly partition: number;
  private readonly o: WorkerOptions;
  private readonly lanes = new Map<string, Job[]>();
  private readonly running = new Set<Promise<void>>();
  private readonly parked: Set<string>;
  private readonly watermark: Watermark;
  private readonly stopping = new AbortController();
  private readonly hands = new Hands();

  constructor(options: WorkerOptions) {
    this.o = options;
    this.topic = options.topic;
    this.partition = options.partition;
    this.watermark = new Watermark(options.firstOffset);
    this.parked = new Set(options.parkedKeys);
  }

  /** The first offset that has not been taken in. */
  get nextOffset(): number {
    return this.watermark.nextOffset;
  }

  /** The first offset that is not settled: what a successor has to start from. */
  get committable(): number {
    return this.watermark.committable;
  }

  /** How many more records may be taken in now. */
  get room(): number {
    if (this.stopping.signal.aborted) return 0;
    // Settled records ahead of one that is being retried cost a number each.
    if (this.watermark.span > 100 * this.o.maxUnsettled) return 0;
    return Math.max(0, this.o.maxUnsettled - this.watermark.open);
  }

  take(record: LoggedRecord): void {
    if (this.stopping.signal.aborted || record.offset < this.watermark.nextOffset) return;
    this.watermark.take(record.offset);
    this.enqueue(record.key, { kind: 'record', record });
  }

  /** Takes a parked key up again, behind what is queued for it. */
  replay(key: string): void {
    if (!this.parked.has(key)) this.parked.add(key);
    if (this.lanes.get(key)?.some((job) => job.kind === 'replay')) return;
    this.enqueue(key, { kind: 'replay' });
  }

  /** Starts no handler until released, and resolves when those in hand have returned. */
  hold(): Promise<void> {
    return this.hands.hold();
  }

  release(): void {
    this.hands.release();
  }

  /** Starts nothing new and resolves when the handlers in hand have returned. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.hands.release();
    await Promise.allSettled([...this.running]);
  }

  /** Keys that are being worked on, for whoever waits too long. */
  get busyKeys(): string[] {
    return [...this.lanes.keys()];
  }

  private enqueue(key: string, job: Job): void {
    if (this.stopping.signal.aborted) return;
    const lane = this.lanes.get(key);
    if (lane) {
      lane.push(job);
      return;
    }
    const jobs = [job];
    this.lanes.set(key, jobs);
    const run = this.drain(key, jobs).finally(() => this.running.delete(run));
    this.running.add(run);
  }

  private async drain(key: string, jobs: Job[]): Promise<void> {
    try {
      for (let job = jobs[0]; job; job = jobs[0]) {
        if (job.kind === 'replay') await this.replayParked(key);
        else {
          const together = await this.handleTogether(key, jobs);
          if (together > 0) {
            jobs.splice(0, together);
            continue;
          }
          await this.settle(job.record);
        }
        jobs.shift();
      }
    } catch (error) {
      if (!(error instanceof Stopped)) this.o.onBroken(error);
    } finally {
      this.lanes.delete(key);
    }
  }

  /** Gives what is ready of the key to the batcher. @returns how many records are settled; none when they must go alone */
  private async handleTogether(key: string, jobs: readonly Job[]): Promise<number> {
    const { batcher, metrics } = this.o;
    if (!batcher || this.parked.has(key) || this.stopping.signal.aborted) return 0;
    const deliveries: Delivery[] = [];
    for (const job of jobs) {
      const delivery = job.kind === 'record' ? this.deliveryOf(job.record) : null;
      if (!delivery || 'error' in delivery || deliveries.length === LONGEST_RUN) break;
      const first = { ...delivery, attempt: 1 };
      if (!batcher.accepts(first)) break;
      deliveries.push(first);
    }
    if (deliveries.length === 0) return 0;
    const handled = await this.hands.use(() => batcher.submit(deliveries, this.stopping.signal));
    if (!handled) return 0;
    for (const job of jobs.slice(0, deliveries.length)) {
      metrics.delivered(this.labels, 'handled');
      if (job.kind === 'record') this.watermark.settle(job.record.offset);
    }
    this.o.onProgress();
    return deliveries.length;
  }

  private async settle(record: LoggedRecord): Promise<void> {
    const { letters, logger, metrics } = this.o;
    if (this.parked.has(record.key)) {
      if (this.stopping.signal.aborted) throw new Stopped();
      await letters.park(record, null);
      metrics.delivered(this.labels, 'waiting');
    } else {
      const outcome = await this.attempt(record, this.o.subscription.handler);
      if (outcome !== 'handled') {
        await letters.park(record, outcome);
        this.parked.add(record.key);
        metrics.delivered(this.labels, 'dead');
        logger.error(
          { ...this.labels, ...this.nameOf(record), ...outcome, deadLetterTopic: `${this.topic}.dlq` },
          'a record could not be handled: it is a dead letter now and its key is parked',
        );
      }
    }
    this.watermark.settle(record.offset);
    this.o.onProgress();
  }

  /** Delivers the dead letters of a key in order, until one fails again or none is left. */
  private async replayParked(key: string): Promise<void> {
    const { letters, logger, subscription } = this.o;
    for (;;) {
      if (this.stopping.signal.aborted) throw new Stopped();
      const letter = await letters.next(key);
      if (!letter) break;
      const skip = letter.state === 'skipping';
      const reason = letter.skipReason ?? '';
      const outcome = await this.attempt(
        letter,
        skip ? async (delivery) => subscription.onSkip?.(delivery, reason) : subscription.handler,
      );
      if (outcome !== 'handled') {
        await letters.failAgain(letter, outcome);
        logger.error({ ...this.labels, ...this.nameOf(letter), ...outcome }, 'a dead letter failed again');
        return;
      }
      await letters.settle(letter.id, skip ? 'skipped' : 'replayed');
      logger.info(
        { ...this.labels, ...this.nameOf(letter), reason: letter.skipReason },
        skip ? 'a dead letter was skipped' : 'a dead letter was replayed',
      );
    }
    await letters.unpark(key);
    this.parked.delete(key);
  }

  /** Tries a record until it is handled, the budget is used up, or it cannot ever be handled. */
  private async attempt(record: LoggedRecord, handler: SubscribeOptions['handler']): Promise<Outcome> {
    const { retry, logger, metrics, slots } = this.o;
    const delivery = this.deliveryOf(record);
    if ('error' in delivery) return delivery;
    for (let attempt = 1, pauses = 1; ; pauses += 1) {
      let failure: unknown;
      try {
        await slots.use(() =>
          this.hands.use(async () => {
            if (this.stopping.signal.aborted) throw new Stopped();
            await inDeliveryScope(this.o.subscription.group, delivery.headers, () =>
              handler({ ...delivery, attempt }),
            );
          }),
        );
        metrics.delivered(this.labels, 'handled');
        return 'handled';
      } catch (error) {
        if (error instanceof Stopped) throw error;
        failure = error;
      }
      const details = { ...this.labels, ...this.nameOf(record), attempt, err: failure };
      const waits = failure instanceof RetryLater;
      if (!waits && (failure instanceof PermanentFailure || attempt >= retry.attempts)) {
        return { code: codeOf(failure), error: textOf(failure), attempts: attempt };
      }
      metrics.delivered(this.labels, 'retried');
      logger.warn(details, 'a handler failed: its key waits and is tried again');
      await pause(
        waits ? Math.min(5_000, delayAfter(retry, pauses)) : delayAfter(retry, attempt),
        this.stopping.signal,
      );
      if (this.stopping.signal.aborted) throw new Stopped();
      if (!waits) attempt += 1;
    }
  }

  private deliveryOf(record: LoggedRecord): Omit<Delivery, 'attempt'> | Failure {
    if (record.fault !== undefined) {
      return { code: record.fault.split(':', 1)[0]!, error: record.fault, attempts: 0 };
    }
    const headers = eventHeaders.safeParse(record.headers);
    if (!headers.success) {
      return {
        code: 'invalid_headers',
        error: `invalid_headers: ${headers.error.message}`,
        attempts: 0,
      };
    }
    return {
      topic: this.topic,
      key: record.key,
      headers: headers.data,
      value: record.value,
      sequence: Number(headers.data.sequence),
    };
  }

  private get labels(): { group: string; topic: string } {
    return { group: this.o.subscription.group, topic: this.topic };
  }

  private nameOf(record: LoggedRecord): {
    partition: number;
    offset: number;
    key: string;
    eventType: unknown;
  } {
    const { offset, key, headers } = record;
    const eventType = (headers as { ce_type?: unknown } | null)?.ce_type;
    return { partition: this.partition, offset, key, eventType };
  }
}
