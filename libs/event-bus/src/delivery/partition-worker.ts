import { readEventHeaders } from '@gridbourse/events';
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

/** The records of one key that are not settled, in order. */
type Lane = {
  readonly key: string;
  readonly jobs: Job[];
  /** So many of the next records must not share a batch: one that they were in has failed. */
  alone: number;
};

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
  private readonly lanes = new Map<string, Lane>();
  private readonly waitingForEnd: (() => void)[] = [];
  private readonly parked: Set<string>;
  private readonly watermark: Watermark;
  private readonly stopping = new AbortController();
  private readonly hands = new Hands();
  private readonly labels: { readonly group: string; readonly topic: string };

  constructor(options: WorkerOptions) {
    this.o = options;
    this.topic = options.topic;
    this.partition = options.partition;
    this.watermark = new Watermark(options.firstOffset);
    this.parked = new Set(options.parkedKeys);
    this.labels = { group: options.subscription.group, topic: options.topic };
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
    if (this.lanes.get(key)?.jobs.some((job) => job.kind === 'replay')) return;
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
    if (this.lanes.size > 0) await new Promise<void>((resolve) => this.waitingForEnd.push(resolve));
  }

  /** Keys that are being worked on, for whoever waits too long. */
  get busyKeys(): string[] {
    return [...this.lanes.keys()];
  }

  private enqueue(key: string, job: Job): void {
    if (this.stopping.signal.aborted) return;
    const lane = this.lanes.get(key);
    if (lane) {
      lane.jobs.push(job);
      return;
    }
    const opened = { key, jobs: [job], alone: 0 };
    this.lanes.set(key, opened);
    this.proceed(opened);
  }

  /** Takes the next of a lane in hand: with records of other keys where it may be, else alone. */
  private proceed(lane: Lane): void {
    const [job] = lane.jobs;
    if (!job) this.leave(lane);
    else if (this.hands.held) void this.hands.freed().then(() => this.proceed(lane));
    else if (job.kind !== 'record' || !this.offer(lane, job.record)) void this.handleFirst(lane, job);
  }

  private leave(lane: Lane): void {
    this.lanes.delete(lane.key);
    if (this.lanes.size === 0) for (const ended of this.waitingForEnd.splice(0)) ended();
  }

  private async handleFirst(lane: Lane, job: Job): Promise<void> {
    try {
      if (job.kind === 'replay') await this.replayParked(lane.key);
      else {
        await this.settle(job.record);
        lane.alone = Math.max(0, lane.alone - 1);
      }
      lane.jobs.shift();
    } catch (error) {
      if (!(error instanceof Stopped)) this.o.onBroken(error);
      this.leave(lane);
      return;
    }
    this.proceed(lane);
  }

  /** Offers the next records of a lane to the batcher. @returns false when the first of them has to go alone */
  private offer(lane: Lane, record: LoggedRecord): boolean {
    const { batcher } = this.o;
    const { signal } = this.stopping;
    if (!batcher || lane.alone > 0 || this.parked.has(lane.key) || signal.aborted) return false;
    const first = this.prepared(batcher, record);
    if (first === null) return false;
    let taken = 0;
    batcher.submit({
      take: (most) => {
        if (this.hands.held || signal.aborted) return [];
        this.hands.begin();
        const run = this.runOf(batcher, lane, first, most);
        taken = run.length;
        return run;
      },
      done: (handled) => {
        if (taken > 0) this.hands.end();
        if (handled) this.settleTogether(lane, taken);
        else {
          lane.alone = taken;
          this.proceed(lane);
        }
      },
    });
    return true;
  }

  private runOf(batcher: Batcher, { jobs }: Lane, first: unknown, most: number): unknown[] {
    const run = [first];
    for (let job = jobs[1]; job?.kind === 'record' && run.length < most; job = jobs[run.length]) {
      const next = this.prepared(batcher, job.record);
      if (next === null) break;
      run.push(next);
    }
    return run;
  }

  private prepared(batcher: Batcher, record: LoggedRecord): unknown {
    const delivery = this.deliveryOf(record, 1);
    if ('error' in delivery) return null;
    try {
      return batcher.prepare(delivery);
    } catch {
      return null; // it will fail alone, and then say why
    }
  }

  private settleTogether(lane: Lane, count: number): void {
    try {
      for (const job of lane.jobs.splice(0, count)) {
        if (job.kind === 'record') this.watermark.settle(job.record.offset);
      }
      this.o.metrics.delivered(this.labels, 'handled', count);
      this.o.onProgress();
    } catch (error) {
      this.o.onBroken(error);
      this.leave(lane);
      return;
    }
    this.proceed(lane);
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
    const delivery = this.deliveryOf(record, 1);
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

  private deliveryOf(record: LoggedRecord, attempt: number): Delivery | Failure {
    if (record.fault !== undefined) {
      return { code: record.fault.split(':', 1)[0]!, error: record.fault, attempts: 0 };
    }
    const headers = readEventHeaders(record.headers);
    if (typeof headers === 'string') {
      return { code: 'invalid_headers', error: `invalid_headers: ${headers}`, attempts: 0 };
    }
    const { topic } = this;
    const { key, value } = record;
    return { topic, key, headers, value, sequence: Number(headers.sequence), attempt };
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
