import type { Batch, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { Batcher } from '../delivery/batcher.ts';
import { Slots } from '../delivery/signal.ts';
import type { BusMetrics } from '../metrics.ts';
import type { SubscribeOptions, Subscription } from '../port.ts';
import { pause, type RetryBudget } from '../retry.ts';
import { isNotAMember } from './errors.ts';
import type { KafkaConfig } from './kafka-config.ts';
import type { Fetched, OwnedPartition } from './owned-partition.ts';
import { atMost, Ownership, type OwnershipParts } from './ownership.ts';
import { stickyAssigner, type TopicPartitions } from './sticky-assigner.ts';

export type ConsumerSettings = {
  readonly config: KafkaConfig;
  /** Handlers of one subscription that run at once. */
  readonly concurrency: number;
  /** Records of one partition that are decoded and not settled. */
  readonly maxUnsettled: number;
  readonly retry: RetryBudget;
  /** How long handlers in hand are waited for when partitions are given up. */
  readonly graceMs: number;
  /** How often keys that are to be replayed are looked for. */
  readonly pollMs: number;
};

export type ConsumerParts = OwnershipParts & {
  readonly kafka: Kafka;
  readonly metrics: BusMetrics;
};

const COMMIT_EVERY_MS = 100;
const COMMIT_PATIENCE_MS = 2_000;
const LEAVE_PATIENCE_MS = 4_000;
const NOT_NOW_MS = 50;
/** Of the time that a rebalance after a death takes at most. */
const JOIN_PATIENCE = 2;

/**
 * One member of a consumer group. Handlers do not run inside kafkajs's loop: what it fetches is handed to the workers of
 * the partitions at once, so the loop goes on fetching and sending heartbeats however long a handler takes, and a
 * partition whose worker is full is paused. What is committed is the first offset that is not settled, never more.
 *
 * Before the member joins the group anew, no handler is begun, those in hand are waited for and what is settled is
 * committed. After it, partitions that stayed go on where they were, and others are begun from the committed offset. A
 * partition stayed if its epoch in the database is still ours: nobody else had it in between. From where a partition goes on
 * is known here, not only to kafkajs: what would leave records out is not taken.
 */
export class KafkaGroupConsumer implements Subscription {
  private readonly slots: Slots;
  private readonly batcher: Batcher | null;
  private readonly owned: Ownership;
  private readonly closing = new AbortController();
  private consumer: Consumer | null = null;
  private loop: Promise<void> | null = null;
  private joins = 0;
  private joinTimer: NodeJS.Timeout | null = null;
  private adopted: Promise<void> = Promise.resolve();
  private stable = false;
  private committing: Promise<void> | null = null;
  private commitTimer: NodeJS.Timeout | null = null;
  private replayTimer: NodeJS.Timeout | null = null;
  private crashed: PromiseWithResolvers<never> | null = null;

  constructor(
    private readonly subscription: SubscribeOptions,
    private readonly settings: ConsumerSettings,
    private readonly parts: ConsumerParts,
  ) {
    this.slots = new Slots(settings.concurrency);
    this.batcher = subscription.batch
      ? new Batcher(subscription.batch, this.slots, settings.concurrency)
      : null;
    const { retry, maxUnsettled, graceMs } = settings;
    const { logger, metrics } = parts;
    this.owned = new Ownership(
      parts,
      {
        ...{ subscription, slots: this.slots, batcher: this.batcher, retry, maxUnsettled, logger, metrics },
        onBroken: (error) => this.crashed?.reject(error),
      },
      graceMs,
      (partition) => this.progress(partition),
    );
  }

  start(): void {
    this.loop = this.run();
    this.lookForReplays();
  }

  async close(): Promise<void> {
    this.closing.abort();
    if (this.replayTimer) clearTimeout(this.replayTimer);
    await this.loop;
    if (this.commitTimer) clearTimeout(this.commitTimer);
  }

  get group(): string {
    return this.subscription.group;
  }

  get topics(): readonly string[] {
    return this.subscription.topics;
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.closing.signal.aborted;) {
      try {
        await this.runConsumer(() => (failures = 0));
      } catch (error) {
        failures += 1;
        this.parts.logger.warn(
          { err: error, group: this.group, failures },
          'a consumer lost Kafka and starts again',
        );
        await pause(Math.min(2_000, 50 * 2 ** Math.min(failures, 10)), this.closing.signal);
      }
    }
  }

  /** From the joining of the group to the end of the subscription, or to a failure that kafkajs does not mend itself. */
  private async runConsumer(onHealthy: () => void): Promise<void> {
    const consumer = this.makeConsumer();
    const crashed = Promise.withResolvers<never>();
    crashed.promise.catch(() => undefined);
    this.crashed = crashed;
    const { GROUP_JOIN, CRASH } = consumer.events;
    // What kafkajs had begun for a member that is over (a joining, a fetch) it ends, whenever that is.
    let over = false;
    consumer.on(GROUP_JOIN, ({ payload }) => {
      if (over) return;
      onHealthy();
      const join = (this.joins += 1);
      this.adopted = this.adopted
        .then(() => this.adopt(consumer, join, payload.memberAssignment))
        .catch((error: unknown) => crashed.reject(error));
    });
    consumer.on(CRASH, ({ payload }) => {
      void this.suspend();
      crashed.reject(payload.error);
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...this.subscription.topics], fromBeginning: true });
      this.consumer = consumer;
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 8,
        eachBatch: (payload) => (over ? this.notNow() : this.receive(payload)),
      });
      await Promise.race([crashed.promise, aborted(this.closing.signal)]);
    } finally {
      over = true;
      // What is still being adopted was assigned to a member that is no more.
      this.joins += 1;
      await this.handOver();
      this.stopExpecting();
      this.consumer = null;
      await this.owned.abandonAll();
      // A broker that is out of reach does not confirm that we leave; it finds out after the session.
      const leaving = consumer.disconnect().catch(() => undefined);
      await atMost(LEAVE_PATIENCE_MS, leaving);
    }
  }

  private makeConsumer(): Consumer {
    const { config } = this.settings;
    return this.parts.kafka.consumer({
      groupId: this.group,
      sessionTimeout: config.sessionTimeoutMs,
      rebalanceTimeout: config.rebalanceTimeoutMs,
      heartbeatInterval: config.heartbeatMs,
      maxWaitTimeInMs: config.fetchWaitMs,
      maxBytesPerPartition: config.fetchBytesPerPartition,
      allowAutoTopicCreation: false,
      partitionAssigners: [
        stickyAssigner(
          () => this.owned.byTopic,
          () => this.handOver(),
        ),
      ],
      retry: {
        ...{ initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
        // After two failures at once kafkajs would start again twice: two members, of which one is known here, and the
        // partitions of the other are nobody's. So a member that has failed is over, and `run` makes another.
        restartOnFailure: () => Promise.resolve(false),
      },
    });
  }

  /** No handler begins until the group has been joined again. */
  private suspend(): Promise<unknown> {
    this.stable = false;
    this.expectJoin();
    return Promise.all(this.owned.all.map(({ worker }) => worker.hold()));
  }

  /** kafkajs joins the group again by itself; should it ever not, this member is made anew. */
  private expectJoin(): void {
    if (this.joinTimer || this.closing.signal.aborted) return;
    const { rebalanceTimeoutMs, sessionTimeoutMs } = this.settings.config;
    const join = this.joins;
    this.joinTimer = setTimeout(
      () => {
        this.joinTimer = null;
        if (this.stable) return;
        // Joined since, and suspended again or still adopting: that is waited for as long.
        if (join !== this.joins) this.expectJoin();
        else this.crashed?.reject(new Error(`the group ${this.group} was not joined again in time`));
      },
      JOIN_PATIENCE * (rebalanceTimeoutMs + sessionTimeoutMs),
    );
  }

  private stopExpecting(): void {
    if (this.joinTimer) clearTimeout(this.joinTimer);
    this.joinTimer = null;
  }

  /** Waits for the handlers in hand, as long as the group does not take us for dead, and commits what is settled. */
  private async handOver(): Promise<void> {
    if (this.owned.all.length === 0) return;
    const idle = this.suspend();
    const patienceMs = this.closing.signal.aborted
      ? this.settings.graceMs
      : Math.min(this.settings.graceMs, this.settings.config.sessionTimeoutMs * 0.6);
    await atMost(patienceMs, idle);
    await atMost(COMMIT_PATIENCE_MS, this.commit());
  }

  /** Makes what is owned what was assigned. While the database is away nothing is begun. */
  private async adopt(consumer: Consumer, join: number, assignment: TopicPartitions): Promise<void> {
    const isCurrent = (): boolean => join === this.joins && !this.closing.signal.aborted;
    const wanted = Object.entries(assignment).flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({ topic, partition })),
    );
    if (!isCurrent()) return;
    this.owned.keepOnly(wanted);
    for (let tries = 1; isCurrent(); tries += 1) {
      try {
        await this.owned.takeOver(wanted, isCurrent);
        break;
      } catch (error) {
        this.parts.logger.warn(
          { err: error, group: this.group, tries },
          'partitions cannot be begun while Kafka or the database of dead letters is away',
        );
        await pause(Math.min(2_000, 50 * 2 ** Math.min(tries, 8)), this.closing.signal);
      }
    }
    if (!isCurrent()) return;
    for (const owned of this.owned.all) {
      // Kafka fetches again from the committed offset, and kafkajs remembers a pause over the loss of a partition.
      owned.rejoin();
      consumer.resume([{ topic: owned.topic, partitions: [owned.partition] }]);
      owned.worker.release();
    }
    this.stopExpecting();
    this.stable = true;
    this.scheduleCommit();
  }

  /** Takes over what was fetched. Errors of the heartbeat are for kafkajs, which then joins the group again. */
  private async receive(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const join = this.joins;
    const adopted = new AbortController();
    void this.adopted.finally(() => adopted.abort());
    while (!adopted.signal.aborted && !this.closing.signal.aborted) {
      await pause(this.settings.config.heartbeatMs, adopted.signal);
      if (!adopted.signal.aborted) await payload.heartbeat();
    }
    const owned = this.owned.get(batch);
    if (!owned || join !== this.joins || !this.stable) {
      // Not resolved, so it is fetched again: after the joining that is about to come.
      await this.notNow();
      return payload.heartbeat();
    }
    const fetched = fetchedIn(batch);
    const missing = owned.missingBefore(fetched);
    if (missing === null) {
      owned.add(fetched);
      payload.resolveOffset(batch.lastOffset());
      this.feed(owned);
    } else await this.fetchMissing(owned, missing, fetched);
    await payload.heartbeat();
  }

  /** What is not taken comes again at once: not in a circle. */
  private notNow(): Promise<void> {
    return pause(NOT_NOW_MS, this.closing.signal);
  }

  /**
   * Has Kafka read again from where something is missing. A batch that another broker still had on the way when the group was
   * joined is from the place of before: what had been fetched then and not taken in would be left out.
   */
  private async fetchMissing(owned: OwnedPartition, missing: number, { from }: Fetched): Promise<void> {
    const { offsets, logger } = this.parts;
    const { topic, partition } = owned;
    const place = { group: this.group, topic, partition, missing, from };
    const earliest = await offsets.earliest(owned).catch((error: unknown) => {
      logger.warn({ ...place, err: error }, 'the first offset of a partition could not be asked for');
      return null;
    });
    if (earliest === null || this.owned.get(owned) !== owned) return;
    if (earliest > missing) {
      logger.error({ ...place, earliest }, 'records were deleted before they had been handled');
      owned.skipTo(earliest);
    } else {
      logger.info(place, 'what was fetched leaves records out and is fetched again');
      this.consumer?.seek({ topic, partition, offset: String(missing) });
    }
  }

  private feed(owned: OwnedPartition): void {
    owned.feed();
    const { topic, partition, full } = owned;
    if (full === owned.paused) return;
    owned.paused = full;
    this.consumer?.[full ? 'pause' : 'resume']([{ topic, partitions: [partition] }]);
  }

  private progress(owned: OwnedPartition): void {
    if (owned.full) this.feed(owned);
    this.scheduleCommit();
  }

  private scheduleCommit(afterMs = COMMIT_EVERY_MS): void {
    if (this.commitTimer || !this.stable || this.closing.signal.aborted) return;
    this.commitTimer = setTimeout(() => {
      this.commitTimer = null;
      if (this.stable) void this.commit();
    }, afterMs);
  }

  /** Commits are made one after the other, each with what is settled by then. Never throws. */
  private commit(): Promise<void> {
    this.committing = (this.committing ?? Promise.resolve()).then(() => this.commitOnce());
    return this.committing;
  }

  private async commitOnce(): Promise<void> {
    const ahead = this.owned.all.filter(({ worker, committed }) => worker.committable > committed);
    if (ahead.length === 0 || !this.consumer) return;
    const offsets = ahead.map(({ worker }) => worker.committable);
    const join = this.joins;
    try {
      await this.consumer.commitOffsets(
        ahead.map(({ topic, partition }, i) => ({ topic, partition, offset: String(offsets[i]) })),
      );
      ahead.forEach((owned, i) => (owned.committed = offsets[i]!));
    } catch (error) {
      this.parts.logger.debug({ err: error, group: this.group }, 'offsets could not be committed');
      // The answer is about a membership that has been renewed meanwhile.
      if (join !== this.joins) this.scheduleCommit();
      // The group went on without us: kafkajs finds out at its next heartbeat, we stop beginning anything now.
      else if (isNotAMember(error)) void this.suspend();
      else this.scheduleCommit(COMMIT_EVERY_MS * 5);
    }
  }

  private lookForReplays(): void {
    this.replayTimer = setTimeout(() => {
      void this.takeUpReplays().finally(() => {
        if (!this.closing.signal.aborted) this.lookForReplays();
      });
    }, this.settings.pollMs);
  }

  private async takeUpReplays(): Promise<void> {
    if (!this.stable) return;
    try {
      for (const row of await this.parts.database.keysToReplay(this.group)) {
        this.owned.get(row)?.worker.replay(row.key);
      }
    } catch (error) {
      this.parts.logger.debug({ err: error, group: this.group }, 'keys to replay could not be looked for');
    }
  }
}

/** kafkajs does not declare from where a batch was fetched. */
const fetchedIn = (batch: Batch): Fetched => ({
  from: Number((batch as Batch & { readonly fetchedOffset: string }).fetchedOffset),
  last: Number(batch.lastOffset()),
  messages: batch.messages,
});

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
