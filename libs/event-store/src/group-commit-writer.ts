import { AsyncResource } from 'node:async_hooks';
import { type Causation, currentCausation, isConnectionError } from '@gridbourse/event-bus';
import type { DomainEvent } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import { type Logger, type Meter, serviceMeter } from '@gridbourse/observability';
import type { DataSource, EntityManager } from 'typeorm';
import type { Append, EventStore } from './event-store.ts';

/** What one command decided. */
export type Decision<E, R> = {
  readonly appends: readonly Append<E>[];
  readonly result: R;
  /**
   * More to write in the same transaction (the inbox, a read model), before the events. `skip` says that the command has
   * been carried out before: its events are left out and its result is given all the same.
   */
  readonly inTransaction?: (manager: EntityManager) => Promise<void | 'skip'>;
};

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

type Unit<E> = {
  readonly decide: () => Decision<E, unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly causation: Causation;
};

type Decided<E> = { readonly unit: Unit<E>; readonly decision: Decision<E, unknown> };

/** Refused by its decision. The answer waits for the batch: it may rest on what a command before it decided. */
type Refused<E> = { readonly unit: Unit<E>; readonly refusal: unknown };

type Verdict<E> = Decided<E> | Refused<E>;

const isDecided = <E>(verdict: Verdict<E>): verdict is Decided<E> => 'decision' in verdict;

/** The batch cannot stand as decided: a command in it turned out to be done already. */
class Skipped<E> extends Error {
  constructor(readonly by: Decided<E>) {
    super('a command of the batch has been carried out before');
  }
}

/** How long commands are decided at a stretch while a batch is being committed: its statements wait for so long. */
const SLICE_MS = 2;
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What was decided while the batch before it was being committed, and stands only if that one does. */
type Ahead<E> = { readonly verdicts: Verdict<E>[]; open: boolean };

type Witness = { readonly streamId: string; readonly version: number };

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
 * out. While a batch is committed the next one is decided, so deciding and storing overlap, and the batch grows with the
 * load. Transactions stay one behind the other: what was decided ahead is stored only when what it rests on is.
 *
 * When a transaction fails, what was decided ahead goes back to the queue, memory is rebuilt (`onReload`), and each command
 * of the batch is decided again and committed alone, so that one that cannot be stored fails alone. When the connection
 * breaks in the middle of a commit, Postgres is asked whether that transaction counts, so that no command is carried out
 * twice.
 */
export class GroupCommitWriter<E extends DomainEvent = DomainEvent> {
  private readonly o: GroupCommitOptions<E>;
  private readonly queue: Unit<E>[] = [];
  private readonly batches;
  private readonly commands;
  private readonly depth;
  private readonly maxBatch: number;
  private readonly maxQueue: number;
  private worker: Promise<void> | null = null;
  /** Called when a command arrives. */
  private onArrival: (() => void) | null = null;
  private stopping = false;
  /** Memory may differ from what is committed: nothing is decided before it is rebuilt. */
  private dirty = false;
  private lastFailure: unknown = null;

  constructor(options: GroupCommitOptions<E>) {
    this.o = options;
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
   *   changes anything. It may run again, against rebuilt memory, when its batch or the one before could not be committed.
   * @returns the result of the decision, once it is committed
   * @throws whatever `decide` throws; DomainError exhausted `queue_full`; unavailable `writer_stopping`,
   *   `store_unavailable` (not carried out, or not known: ask again with the same idempotency key)
   */
  execute<R>(decide: () => Decision<E, R>): Promise<R> {
    if (this.stopping)
      return Promise.reject(new DomainError('unavailable', 'writer_stopping', 'shutting down'));
    if (this.queue.length >= this.maxQueue) {
      return Promise.reject(
        new DomainError('exhausted', 'queue_full', `${this.maxQueue} commands are waiting already`),
      );
    }
    return new Promise<R>((resolve, reject) => {
      this.queue.push({
        decide: AsyncResource.bind(decide),
        resolve: resolve as (result: unknown) => void,
        reject,
        causation: currentCausation(),
      });
      this.onArrival?.();
      this.worker ??= this.work();
    });
  }

  /** How many commands wait. */
  get queued(): number {
    return this.queue.length;
  }

  /** Takes no more, carries out what is queued, and resolves when the last reply is out. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.worker;
  }

  private async work(): Promise<void> {
    // Everything that arrives in this turn of the event loop belongs to the first batch.
    await nextTurn();
    try {
      let verdicts: readonly Verdict<E>[] = [];
      while (verdicts.length > 0 || this.queue.length > 0) {
        if (verdicts.length === 0) {
          if (this.dirty && !(await this.reload())) {
            this.refuse(this.taken(this.maxBatch));
            continue;
          }
          verdicts = this.taken(this.maxBatch).map((unit) => this.decide(unit));
        }
        verdicts = await this.carryOut(verdicts);
      }
    } finally {
      this.worker = null;
    }
  }

  private taken(most: number): Unit<E>[] {
    this.depth.record(this.queue.length, this.labels);
    const units = this.queue.splice(0, most);
    this.commands.add(units.length, this.labels);
    return units;
  }

  /** @returns what was decided meanwhile, on top of it; nothing when it could not be stored as it was decided */
  private async carryOut(verdicts: readonly Verdict<E>[]): Promise<readonly Verdict<E>[]> {
    const decided = verdicts.filter(isDecided);
    if (decided.length === 0) {
      this.reply(verdicts);
      return [];
    }
    const ahead: Ahead<E> = { verdicts: [], open: true };
    const committing = this.commit(decided);
    const deciding = this.decideAhead(ahead);
    try {
      await committing;
    } catch (error) {
      this.close(ahead);
      await deciding;
      return this.afterFailure(verdicts, ahead.verdicts, error);
    }
    this.close(ahead);
    this.reply(verdicts);
    await deciding;
    return ahead.verdicts;
  }

  private close(ahead: Ahead<E>): void {
    ahead.open = false;
    this.onArrival?.();
  }

  /** Decides what is queued and what arrives until it is closed, in slices, so that the commit gets its turns. */
  private async decideAhead(ahead: Ahead<E>): Promise<void> {
    await nextTurn();
    while (ahead.open && ahead.verdicts.length < this.maxBatch) {
      if (this.queue.length === 0) {
        await new Promise<void>((resolve) => (this.onArrival = resolve));
        this.onArrival = null;
        continue;
      }
      const until = performance.now() + SLICE_MS;
      do {
        for (const unit of this.taken(1)) ahead.verdicts.push(this.decide(unit));
      } while (this.queue.length > 0 && ahead.verdicts.length < this.maxBatch && performance.now() < until);
      await nextTurn();
    }
  }

  /** @returns what was decided ahead, where the batch is stored after all; else that is queued again */
  private async afterFailure(
    verdicts: readonly Verdict<E>[],
    ahead: readonly Verdict<E>[],
    error: unknown,
  ): Promise<readonly Verdict<E>[]> {
    this.dirty = true;
    const outcome = error instanceof InDoubt ? await this.verdictOn(error) : 'aborted';
    if (outcome === 'committed') {
      this.dirty = false;
      this.reply(verdicts);
      return ahead;
    }
    this.queue.unshift(...ahead.map(({ unit }) => unit));
    if (outcome === 'unknown') {
      this.refuse(verdicts.map(({ unit }) => unit));
      return [];
    }
    this.batches.add(1, { ...this.labels, outcome: 'failed' });
    this.o.logger?.warn(
      { err: error, ...this.labels, commands: verdicts.length },
      'a batch could not be committed; its commands are tried one by one',
    );
    await this.oneByOne(verdicts, error);
    return [];
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
        if (isDecided(again)) await this.commit([again]);
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
      return { unit, decision: unit.decide() };
    } catch (refusal) {
      return { unit, refusal };
    }
  }

  private async commit(decided: readonly Decided<E>[]): Promise<void> {
    const runner = this.o.dataSource.createQueryRunner();
    let tx: string | null = null;
    let witness: Witness | null = null;
    let committing = false;
    try {
      await runner.startTransaction();
      for (const one of decided) {
        const skip = (await one.decision.inTransaction?.(runner.manager)) === 'skip';
        if (skip && one.decision.appends.some((append) => append.events.length > 0)) throw new Skipped(one);
      }
      await this.o.beforeEvents?.(runner.manager);
      const appends = decided.flatMap(({ unit, decision }) =>
        decision.appends.map((append) => ({ metadata: unit.causation, ...append })),
      );
      tx = await this.o.store.appendInTransaction(runner.manager, appends);
      const first = appends.find((append) => append.events.length > 0);
      if (first) witness = { streamId: first.streamId, version: first.expectedVersion + 1 };
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
