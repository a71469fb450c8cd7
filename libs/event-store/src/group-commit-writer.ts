import { AsyncResource } from 'node:async_hooks';
import { currentCausation } from '@gridbourse/event-bus';
import type { DomainEvent } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import { type Logger, type Meter, serviceMeter } from '@gridbourse/observability';
import { isConnectionError } from '@gridbourse/postgres';
import type { DataSource, EntityManager } from 'typeorm';
import type { EventStore } from './event-store.ts';
import {
  type Decided,
  type Decision,
  GroupCommitBatch,
  isDecided,
  type Unit,
  type Verdict,
} from './group-commit-batch.ts';

export type { Decision } from './group-commit-batch.ts';

export type GroupCommitOptions<E extends DomainEvent> = {
  readonly dataSource: DataSource;
  readonly store: EventStore<E>;
  /** Commands in one transaction (1000). */
  readonly maxBatch?: number;
  /** Commands that may wait (10 000). */
  readonly maxQueue?: number;
  /** Builds the state in memory anew from what is committed (see EventStore.replay). */
  readonly onReload: () => Promise<void>;
  /**
   * Once in each transaction, after the commands' own writes and before the events: for writes that commands have only
   * collected, such as the rows of read models, many of which cost little more than one.
   */
  readonly beforeEvents?: (manager: EntityManager) => Promise<void>;
  /** After each commit, for example `() => outbox.wake()`. */
  readonly afterCommit?: () => void;
  readonly logger?: Logger;
  /** How long a command waits for a database that is away before it is refused (4000). */
  readonly patienceMs?: number;
  readonly meter?: Meter;
  /** Names the writer in metrics; by default the context of the store. */
  readonly name?: string;
};

/** How long commands are decided at a stretch while a commit is under way: it needs the event loop between its queries. */
const AHEAD_SLICE_MS = 2;

/** The batch cannot stand as decided: a command in it turned out to be done already. */
class Skipped<E> extends Error {
  constructor(readonly by: Decided<E>) {
    super('a command of the batch has been carried out before');
  }
}

type Witness = { readonly streamId: string; readonly version: number };

/** The first event of a batch. */
const witnessOf = (decided: readonly Decided<unknown>[]): Witness | null => {
  for (const { decision } of decided) {
    const first = decision.appends.find(({ events }) => events.length > 0);
    if (first) return { streamId: first.streamId, version: first.expectedVersion + 1 };
  }
  return null;
};

/** The connection broke while committing; nobody knows yet whether the transaction counts. */
class InDoubt extends Error {
  constructor(
    readonly tx: string | null,
    /** An event that is there if the transaction counts; null when it has none. */
    readonly witness: Witness | null,
    cause: unknown,
  ) {
    super('the connection broke during the commit', { cause });
  }
}

/**
 * A single writer with group commit. Commands queue; each decides alone, in the order of the queue, against state in
 * memory that already has the effects of those before it; one transaction persists a whole batch; then the replies go
 * out. While a batch is committed the next one gathers and is decided ahead, so the batch grows with the load, and memory
 * may be two batches ahead of what is committed. Batches are committed one after the other all the same.
 *
 * When a transaction fails, what was decided ahead is forgotten: it may rest on what could not be stored. Memory is rebuilt
 * (`onReload`), each command of the failed batch is decided again and committed alone, so that one that cannot be stored
 * fails alone, and those that were ahead have their turn again after them, in their order. When the connection breaks in the middle of a commit, Postgres is
 * asked whether that transaction counts, so that no command is carried out twice.
 */
export class GroupCommitWriter<E extends DomainEvent = DomainEvent> {
  private readonly o: GroupCommitOptions<E>;
  private readonly queue: Unit<E>[] = [];
  /** The beginning of the next batch, decided while a commit is under way, on top of what that commit stores. */
  private ahead: GroupCommitBatch<E>;
  private committing = false;
  private lookingAhead = false;
  private readonly batches;
  private readonly commands;
  private readonly depth;
  private readonly maxBatch: number;
  private readonly maxQueue: number;
  private worker: Promise<void> | null = null;
  private stopping = false;
  /** Memory may differ from what is committed: nothing is decided before it is rebuilt. */
  private dirty = false;
  private lastFailure: unknown = null;

  constructor(options: GroupCommitOptions<E>) {
    this.o = options;
    this.ahead = new GroupCommitBatch(options.store);
    this.maxBatch = options.maxBatch ?? 1_000;
    this.maxQueue = options.maxQueue ?? 10_000;
    const meter = options.meter ?? serviceMeter(options.store.context);
    this.batches = meter.createCounter('group_commit_batches_total', {
      description: 'Transactions, by outcome',
    });
    this.commands = meter.createCounter('group_commit_commands_total', { description: 'Commands taken' });
    this.depth = meter.createGauge('group_commit_queue', { description: 'Commands that wait' });
  }

  /**
   * @param decide runs synchronously and alone. It must apply its events to memory before it returns, and throw before it
   *   changes anything. It may run a second time, against rebuilt memory, when its batch could not be committed.
   * @returns the result of the decision, once it is committed
   * @throws whatever `decide` throws; DomainError exhausted `queue_full`; unavailable `writer_stopping`,
   *   `store_unavailable` (not carried out, or not known: ask again with the same idempotency key)
   */
  execute<R>(decide: () => Decision<E, R>): Promise<R> {
    if (this.stopping)
      return Promise.reject(new DomainError('unavailable', 'writer_stopping', 'shutting down'));
    if (this.queued >= this.maxQueue) {
      return Promise.reject(
        new DomainError('exhausted', 'queue_full', `${this.maxQueue} commands are waiting already`),
      );
    }
    return new Promise<R>((resolve, reject) => {
      this.queue.push({
        decide,
        origin: new AsyncResource('GroupCommitCommand'),
        resolve: resolve as (result: unknown) => void,
        reject,
        causation: currentCausation(),
      });
      this.worker ??= this.work();
      this.lookAhead();
    });
  }

  /** How many commands wait. */
  get queued(): number {
    return this.ahead.size + this.queue.length;
  }

  /** Takes no more, carries out what is queued, and resolves when the last reply is out. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.worker;
  }

  private async work(): Promise<void> {
    // Everything that arrives in this turn of the event loop belongs to the first batch.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (this.queued > 0) {
        this.depth.record(this.queued, this.labels);
        if (this.dirty && !(await this.reload())) {
          this.refuse(this.queue.splice(0, this.maxBatch));
          continue;
        }
        await this.carryOut(this.nextBatch());
      }
    } finally {
      this.worker = null;
    }
  }

  /** What was decided ahead, and as many more as there is room for. */
  private nextBatch(): GroupCommitBatch<E> {
    const batch = this.ahead;
    this.ahead = new GroupCommitBatch(this.o.store);
    for (const unit of this.queue.splice(0, this.maxBatch - batch.size))
      batch.verdicts.push(this.decide(unit));
    this.commands.add(batch.size, this.labels);
    return batch;
  }

  private async carryOut(batch: GroupCommitBatch<E>): Promise<void> {
    const { verdicts } = batch;
    if (batch.decided.length > 0) {
      try {
        await this.commitLookingAhead(batch);
      } catch (error) {
        this.dirty = true;
        if (error instanceof InDoubt) {
          const outcome = await this.verdictOn(error);
          if (outcome === 'committed') {
            this.dirty = false;
            return this.reply(verdicts);
          }
          if (outcome === 'unknown') {
            this.forgetAhead();
            return this.refuse(batch.units);
          }
        }
        this.forgetAhead();
        this.batches.add(1, { ...this.labels, outcome: 'failed' });
        this.o.logger?.warn(
          { err: error, ...this.labels, commands: verdicts.length },
          'a batch could not be committed; its commands are tried one by one',
        );
        return this.oneByOne(verdicts, error);
      }
    }
    this.reply(verdicts);
  }

  private async commitLookingAhead(batch: GroupCommitBatch<E>): Promise<void> {
    this.committing = true;
    this.lookAhead();
    try {
      await this.commit(batch);
    } finally {
      this.committing = false;
    }
  }

  /** Decides commands of the next batch, and prepares their events, in the turns that the commit under way leaves free. */
  private lookAhead(): void {
    if (!this.committing || this.lookingAhead) return;
    this.lookingAhead = true;
    setImmediate(() => {
      this.lookingAhead = false;
      if (!this.committing) return;
      const until = performance.now() + AHEAD_SLICE_MS;
      while (performance.now() < until) if (!this.goAhead()) return;
      this.lookAhead();
    });
  }

  /** One step of the next batch. @returns false when there is nothing to do before the commit has ended */
  private goAhead(): boolean {
    const { ahead } = this;
    const unit = ahead.size < this.maxBatch ? this.queue.shift() : undefined;
    if (!unit) return ahead.prepareNext();
    ahead.verdicts.push(this.decide(unit));
    return true;
  }

  /** What was decided ahead rests on a batch that is not stored: its commands wait again, before all others. */
  private forgetAhead(): void {
    this.queue.unshift(...this.ahead.units);
    this.ahead = new GroupCommitBatch(this.o.store);
  }

  /** Each command again, alone, against rebuilt memory. */
  private async oneByOne(verdicts: readonly Verdict<E>[], failure: unknown): Promise<void> {
    for (const [i, previous] of verdicts.entries()) {
      if (failure instanceof Skipped && failure.by === previous) {
        previous.unit.resolve(failure.by.decision.result);
        continue;
      }
      if (this.dirty && !(await this.reload())) {
        return this.refuse(verdicts.slice(i).map(({ unit }) => unit));
      }
      const again = this.decide(previous.unit);
      try {
        if (isDecided(again)) await this.commit(this.batchOf(again));
        this.reply([again]);
      } catch (error) {
        this.dirty = true;
        if (error instanceof Skipped) previous.unit.resolve((error.by as Decided<E>).decision.result);
        else if (error instanceof InDoubt) await this.settleDoubt(again, error);
        else previous.unit.reject(isConnectionError(error) ? storeUnavailable(error) : error);
      }
    }
    // Leave clean memory behind, for readers as well; if it fails now, the next batch tries again.
    if (this.dirty) await this.reload();
  }

  private async settleDoubt(decided: Verdict<E>, doubt: InDoubt): Promise<void> {
    if ((await this.verdictOn(doubt)) === 'committed') {
      this.dirty = false;
      this.reply([decided]);
    } else {
      decided.unit.reject(storeUnavailable(doubt));
    }
  }

  private decide(unit: Unit<E>): Verdict<E> {
    try {
      return { unit, decision: unit.origin.runInAsyncScope(unit.decide) };
    } catch (refusal) {
      return { unit, refusal };
    }
  }

  private batchOf(verdict: Verdict<E>): GroupCommitBatch<E> {
    const batch = new GroupCommitBatch(this.o.store);
    batch.verdicts.push(verdict);
    return batch;
  }

  private async commit(batch: GroupCommitBatch<E>): Promise<void> {
    const runner = this.o.dataSource.createQueryRunner();
    let tx: string | null = null;
    let witness: Witness | null = null;
    let committing = false;
    try {
      await runner.startTransaction();
      for (const one of batch.decided) {
        const writing = one.decision.inTransaction?.(runner.manager);
        // Most have nothing to wait for.
        if (
          writing &&
          (await writing) === 'skip' &&
          one.decision.appends.some((append) => append.events.length > 0)
        )
          throw new Skipped(one);
      }
      await this.o.beforeEvents?.(runner.manager);
      tx = await this.o.store.appendPrepared(runner.manager, batch.prepared());
      witness = witnessOf(batch.decided);
      tx ??= await this.currentTransaction(runner.manager);
      committing = true;
      await runner.commitTransaction();
    } catch (error) {
      if (committing && isConnectionError(error)) throw new InDoubt(tx, witness, error);
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      await runner.release();
    }
  }

  /** The id of the transaction, null when it has written nothing. */
  private async currentTransaction(manager: EntityManager): Promise<string | null> {
    const rows = await manager.query<{ tx: string | null }[]>(
      'SELECT pg_current_xact_id_if_assigned()::text AS tx',
    );
    return rows[0]!.tx;
  }

  /** What became of a transaction whose commit was not answered. */
  private async verdictOn({ tx, witness }: InDoubt): Promise<'committed' | 'aborted' | 'unknown'> {
    if (tx === null) return 'committed'; // nothing was written, so nothing can be missing
    const verdict = await this.persistently('ask what became of a commit', async () => {
      const [row] = await this.o.dataSource.query<{ status: string | null; written: boolean }[]>(
        WHAT_BECAME,
        [tx, witness?.streamId ?? null, witness?.version ?? null],
      );
      if (row!.status === 'in progress') throw new Error(`transaction ${tx} is still in progress`);
      // After a crash Postgres may give the number of a lost transaction to another one.
      return row!.status === 'committed' && (row!.written || witness === null) ? 'committed' : 'aborted';
    });
    return verdict ?? 'unknown';
  }

  private async reload(): Promise<boolean> {
    const done = await this.persistently('rebuild the state', async () => {
      await this.o.onReload();
      return true;
    });
    if (done) this.dirty = false;
    return done === true;
  }

  /** Tries for a while: a database that restarts is back by then. @returns null when it is not */
  private async persistently<T>(what: string, work: () => Promise<T>): Promise<T | null> {
    const until = performance.now() + (this.o.patienceMs ?? 4_000);
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        this.lastFailure = error;
        this.o.logger?.warn({ err: error, ...this.labels, attempt }, `the writer could not ${what}`);
        if (performance.now() >= until) return null;
        await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, 25 * 2 ** attempt)));
      }
    }
  }

  private reply(verdicts: readonly Verdict<E>[]): void {
    for (const verdict of verdicts) {
      if (isDecided(verdict)) verdict.unit.resolve(verdict.decision.result);
      else verdict.unit.reject(verdict.refusal);
    }
    if (!verdicts.some(isDecided)) return;
    this.batches.add(1, { ...this.labels, outcome: 'committed' });
    this.o.afterCommit?.();
  }

  private refuse(units: readonly Unit<E>[]): void {
    for (const unit of units) unit.reject(storeUnavailable(this.lastFailure));
  }

  private get labels(): { writer: string } {
    return { writer: this.o.name ?? this.o.store.context };
  }
}

/** By xmin, which is the writer's own id: the column tx may hold that of the stream's event before it. */
const WHAT_BECAME = `
  SELECT pg_xact_status($1::xid8) AS status,
         EXISTS (SELECT FROM events WHERE stream_id = $2 AND version = $3 AND xmin = $1::xid8::xid) AS written`;

const storeUnavailable = (cause: unknown): DomainError =>
  new DomainError('unavailable', 'store_unavailable', 'the database is away', { cause });
