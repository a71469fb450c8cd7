import { DeadLetterStore } from '../dead-letters/dead-letter-store.ts';
import { WAKE_CHANNEL, WAKE_FOR_REPLAY } from '../dead-letters/wake.ts';
import { Batcher } from '../delivery/batcher.ts';
import { PartitionWorker } from '../delivery/partition-worker.ts';
import { Signal, Slots } from '../delivery/signal.ts';
import type { Logger } from '@gridbourse/observability';
import type { BusMetrics } from '../metrics.ts';
import type { SubscribeOptions, Subscription } from '../port.ts';
import { pause, type RetryBudget } from '../retry.ts';
import { loggedRecord, type LogRow } from './logged-record.ts';
import { lockKey, lockKeyHalves } from './partitioner.ts';
import { Session } from './session.ts';

export type ConsumerSettings = {
  /** How often the log is read without a wake-up. */
  readonly pollMs: number;
  /** How often membership and ownership are looked at: the time to take over from a dead member. */
  readonly rebalanceMs: number;
  /** Handlers of one subscription that run at once. */
  readonly concurrency: number;
  /** Records of one partition that are taken in and not settled. */
  readonly maxUnsettled: number;
  readonly retry: RetryBudget;
  /** How long handlers in hand are waited for when the consumer closes or has lost its session. */
  readonly graceMs: number;
  /** Wake-ups with this sender are ignored: they came another way. */
  readonly busId: string;
};

type Partition = { readonly topic: string; readonly partition: number };

const FETCH = `
  SELECT r.topic, r.partition, r.record_offset, r.key, r.headers, r.value
  FROM unnest($1::text[], $2::int[], $3::bigint[], $4::int[]) AS want (topic, partition, first, room)
  CROSS JOIN LATERAL (
    SELECT * FROM bus_log b
    WHERE b.topic = want.topic AND b.partition = want.partition AND b.record_offset >= want.first
    ORDER BY b.record_offset LIMIT want.room
  ) r
  ORDER BY r.topic, r.partition, r.record_offset`;

const COMMIT = `
  INSERT INTO bus_offsets AS o (consumer_group, topic, partition, next_offset)
  SELECT $1, t.topic, t.partition, t.next_offset
  FROM unnest($2::text[], $3::int[], $4::bigint[]) AS t (topic, partition, next_offset)
  ON CONFLICT (consumer_group, topic, partition)
  DO UPDATE SET next_offset = EXCLUDED.next_offset WHERE o.next_offset < EXCLUDED.next_offset`;

const MEMBERS = `
  SELECT count(*)::int AS members FROM pg_locks
  WHERE locktype = 'advisory' AND objsubid = 1 AND classid = $1::bigint::oid AND objid = $2::bigint::oid AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

const FETCH_LIMIT = 200;

/**
 * One member of a consumer group. Its session holds a shared advisory lock that says "I am a member" and an exclusive
 * one for each partition that it owns; Postgres drops both when the session dies, so the others see fewer members,
 * a larger share for each, and free partitions to take.
 */
export class GroupConsumer implements Subscription {
  private readonly signal = new Signal();
  private readonly slots: Slots;
  private readonly batcher: Batcher | null;
  private readonly workers = new Map<string, PartitionWorker>();
  private readonly committed = new Map<string, number>();
  private readonly releasing = new Set<Promise<void>>();
  private readonly closing = new AbortController();
  private readonly memberKey: string;
  private broken: unknown = null;
  private loop: Promise<void> | null = null;
  private rotation = 0;
  private rebalanceAt = 0;

  constructor(
    private readonly databaseUrl: string,
    private readonly subscription: SubscribeOptions,
    private readonly partitions: readonly Partition[],
    private readonly settings: ConsumerSettings,
    private readonly logger: Logger,
    private readonly metrics: BusMetrics,
  ) {
    this.slots = new Slots(settings.concurrency);
    this.batcher = subscription.batch
      ? new Batcher(subscription.batch, this.slots, settings.concurrency)
      : null;
    this.memberKey = lockKey('bus-member', subscription.group, [...subscription.topics].sort().join());
  }

  get group(): string {
    return this.subscription.group;
  }

  get topics(): readonly string[] {
    return this.subscription.topics;
  }

  start(): void {
    this.loop = this.run();
  }

  /** There may be something new to read. */
  wake(): void {
    this.signal.notify();
  }

  async close(): Promise<void> {
    this.closing.abort();
    for (const worker of this.workers.values()) void worker.stop();
    this.signal.notify();
    await this.loop;
  }

  private async run(): Promise<void> {
    const { group } = this.subscription;
    for (let failures = 0; !this.closing.signal.aborted;) {
      try {
        await this.runSession(() => (failures = 0));
      } catch (error) {
        failures += 1;
        this.logger.warn({ err: error, group, failures }, 'a consumer lost the bus database and reconnects');
        await pause(Math.min(2_000, 50 * 2 ** failures), this.closing.signal);
      }
    }
  }

  private async runSession(onHealthy: () => void): Promise<void> {
    const { group } = this.subscription;
    this.broken = null;
    const session = await Session.open(this.databaseUrl, `gridbourse-bus ${group}`, (error) =>
      this.giveUpSession(error),
    );
    try {
      session.onNotification(WAKE_CHANNEL, (payload) => this.notified(payload));
      await session.query(`LISTEN ${WAKE_CHANNEL}`);
      await session.query('SELECT pg_advisory_lock_shared($1::bigint)', [this.memberKey]);
      this.rebalanceAt = 0;
      while (!this.closing.signal.aborted) {
        if (this.broken) throw this.broken as Error;
        if (performance.now() >= this.rebalanceAt) {
          await this.rebalance(session);
          await this.takeUpReplays(session);
          this.rebalanceAt = performance.now() + this.settings.rebalanceMs;
        }
        const full = await this.fetch(session);
        await this.commit(session);
        onHealthy();
        if (!full) await this.signal.wait(this.pauseMs());
      }
      await this.finishWork();
      await this.commit(session);
    } finally {
      // What is in hand is waited for, so that a reconnect does not run a key twice at once.
      await this.finishWork();
      this.workers.clear();
      this.committed.clear();
      await session.close();
    }
  }

  private giveUpSession(error: unknown): void {
    this.broken ??= error;
    this.wake();
  }

  private pauseMs(): number {
    return Math.max(1, Math.min(this.settings.pollMs, this.rebalanceAt - performance.now()));
  }

  private notified(payload: string): void {
    if (payload === WAKE_FOR_REPLAY) {
      this.rebalanceAt = 0;
      return this.wake();
    }
    const [sender, topics = ''] = payload.split(' ');
    if (sender === this.settings.busId) return;
    const named = topics.split(',');
    if (this.topics.some((topic) => named.includes(topic))) this.wake();
  }

  /** Waits for the handlers in hand, but not for ever: one that hangs must not hold back everything else. */
  private async finishWork(): Promise<void> {
    const workers = [...this.workers.values()];
    const stopped = new AbortController();
    const stops = [...this.releasing, ...workers.map((worker) => worker.stop())];
    const all = Promise.all(stops).then(() => stopped.abort());
    await Promise.race([all, pause(this.settings.graceMs, stopped.signal)]);
    if (stopped.signal.aborted) return;
    const keys = workers.flatMap((worker) => worker.busyKeys).slice(0, 20);
    this.logger.error(
      { group: this.subscription.group, keys, graceMs: this.settings.graceMs },
      'handlers have not returned in time and are left behind; their records are delivered again',
    );
  }

  /** Takes in what is new. @returns whether there may be more at once */
  private async fetch(session: Session): Promise<boolean> {
    const wanted = [...this.workers.values()].filter((worker) => worker.room > 0);
    if (wanted.length === 0) return false;
    const rooms = wanted.map((worker) => Math.min(FETCH_LIMIT, worker.room));
    const rows = await session.query<LogRow & Partition>(FETCH, [
      wanted.map((worker) => worker.topic),
      wanted.map((worker) => worker.partition),
      wanted.map((worker) => worker.nextOffset),
      rooms,
    ]);
    const counts = new Map<PartitionWorker, number>();
    for (const row of rows) {
      const worker = this.workers.get(nameOf(row));
      if (!worker) continue;
      worker.take(loggedRecord(row));
      counts.set(worker, (counts.get(worker) ?? 0) + 1);
    }
    return wanted.some((worker, i) => (counts.get(worker) ?? 0) >= rooms[i]! && worker.room > 0);
  }

  private async commit(session: Session, only?: PartitionWorker): Promise<void> {
    const candidates = only ? [only] : [...this.workers.values()];
    const ahead = candidates.filter(
      (worker) => worker.committable > (this.committed.get(nameOf(worker)) ?? 0),
    );
    if (ahead.length === 0) return;
    const offsets = ahead.map((worker) => worker.committable);
    await session.query(COMMIT, [
      this.subscription.group,
      ahead.map((worker) => worker.topic),
      ahead.map((worker) => worker.partition),
      offsets,
    ]);
    ahead.forEach((worker, i) => this.committed.set(nameOf(worker), offsets[i]!));
  }

  private async rebalance(session: Session): Promise<void> {
    const { classid, objid } = lockKeyHalves(this.memberKey);
    const [row] = await session.query<{ members: number }>(MEMBERS, [classid, objid]);
    const share = Math.ceil(this.partitions.length / Math.max(1, row?.members ?? 1));
    const surplus = this.workers.size - share;
    if (surplus > 0) this.giveUp(session, [...this.workers.values()].slice(-surplus));
    else if (surplus < 0 && this.releasing.size === 0) await this.acquire(session, -surplus);
  }

  private async acquire(session: Session, wanted: number): Promise<void> {
    const free = this.partitions.filter((p) => !this.workers.has(nameOf(p)));
    // Members start looking at different places, so that they rarely try for the same lock.
    this.rotation = (this.rotation + 7) % Math.max(1, free.length);
    const candidates = [...free.slice(this.rotation), ...free.slice(0, this.rotation)];
    for (let at = 0, missing = wanted; missing > 0 && at < candidates.length;) {
      const tried = candidates.slice(at, at + missing);
      at += tried.length;
      const got = await this.lock(session, tried);
      for (const partition of got) await this.own(session, partition);
      missing -= got.length;
    }
  }

  private async lock(session: Session, tried: readonly Partition[]): Promise<Partition[]> {
    const keys = tried.map((partition) => this.partitionKey(partition));
    const rows = await session.query<{ locked: boolean; place: string }>(
      `SELECT pg_try_advisory_lock(k.key) AS locked, k.place
       FROM unnest($1::bigint[]) WITH ORDINALITY AS k (key, place)`,
      [keys],
    );
    return rows.filter((row) => row.locked).map((row) => tried[Number(row.place) - 1]!);
  }

  private async own(session: Session, { topic, partition }: Partition): Promise<void> {
    const { group } = this.subscription;
    const letters = new DeadLetterStore(session, { group, topic, partition });
    const [row] = await session.query<{ next_offset: string }>(
      'SELECT next_offset FROM bus_offsets WHERE consumer_group = $1 AND topic = $2 AND partition = $3',
      [group, topic, partition],
    );
    const firstOffset = Number(row?.next_offset ?? 0);
    const worker = new PartitionWorker({
      ...{ subscription: this.subscription, topic, partition, firstOffset, letters },
      parkedKeys: await letters.parkedKeys(),
      slots: this.slots,
      batcher: this.batcher,
      retry: this.settings.retry,
      maxUnsettled: this.settings.maxUnsettled,
      logger: this.logger,
      metrics: this.metrics,
      onProgress: () => this.wake(),
      onBroken: (error) => this.giveUpSession(error),
    });
    this.committed.set(nameOf(worker), firstOffset);
    this.workers.set(nameOf(worker), worker);
  }

  /** Hands partitions to other members, after the handlers in hand have returned. Runs beside everything else. */
  private giveUp(session: Session, workers: readonly PartitionWorker[]): void {
    for (const worker of workers) {
      this.workers.delete(nameOf(worker));
      const release = (async () => {
        await worker.stop();
        await this.commit(session, worker);
        this.committed.delete(nameOf(worker));
        await session.query('SELECT pg_advisory_unlock($1::bigint)', [this.partitionKey(worker)]);
      })()
        .catch((error: unknown) => this.giveUpSession(error))
        .finally(() => this.releasing.delete(release));
      this.releasing.add(release);
    }
  }

  private async takeUpReplays(session: Session): Promise<void> {
    const rows = await session.query<Partition & { key: string }>(
      'SELECT topic, partition, key FROM bus_parked_keys WHERE consumer_group = $1 AND replay_requested LIMIT 1000',
      [this.subscription.group],
    );
    for (const row of rows) this.workers.get(nameOf(row))?.replay(row.key);
  }

  private partitionKey({ topic, partition }: Partition): string {
    return lockKey('bus-partition', this.subscription.group, topic, partition);
  }
}

const nameOf = ({ topic, partition }: Partition): string => `${topic}/${partition}`;
