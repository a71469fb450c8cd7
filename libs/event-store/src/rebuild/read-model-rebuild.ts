import type { DomainEvent } from '@gridbourse/events';
import { conflict } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { setCheckpoint } from '../checkpoint.ts';
import type { Cursor } from '../cursor.ts';
import type { EventStore } from '../event-store.ts';
import { Pacer } from '../pacer.ts';
import { type Feed, feedOf, type Portion } from './feed.ts';
import type { ReadModel } from './read-model.ts';
import {
  advanceProgress,
  beginProgress,
  dropProgress,
  findLast,
  findProgress,
  finishProgress,
  type LastRebuild,
  type Progress,
} from './rebuild-progress.ts';
import {
  analyseShadow,
  createShadow,
  dropShadow,
  exchangeTables,
  lockEveryone,
  lockWriters,
  preferSchema,
  refuseUnfitTables,
  shapeOf,
  type TableSet,
  tableSet,
} from './shadow-tables.ts';

export type RebuildOptions<E extends DomainEvent> = {
  /** The database of the store, which is also that of the read model. */
  readonly dataSource: DataSource;
  readonly store: EventStore<E>;
  readonly readModel: ReadModel<E>;
  readonly logger: Logger;
  /** Events projected in one transaction (500). */
  readonly pageSize?: number;
  /** Events that may be left for the exchange itself, while writers wait (2000, at most 10 000). */
  readonly maxTail?: number;
  /**
   * How long the exchange waits for a lock before it lets the others go first, milliseconds (500). Less than Postgres'
   * deadlock_timeout, so that it is this that gives way.
   */
  readonly lockTimeoutMs?: number;
  /** How often the exchange is tried (100). */
  readonly maxTries?: number;
  /** Called after each page. */
  readonly onPage?: (progress: Progress) => void | Promise<void>;
};

export type RebuildReport = {
  /** Events projected, those before an interruption included. */
  readonly events: number;
  /** A rebuild that was interrupted has been carried on. */
  readonly resumed: boolean;
};

export type RebuildStatus = {
  /** It is being worked on now. */
  readonly running: boolean;
  /** Of a rebuild that runs or was interrupted; null when there is none. */
  readonly progress: {
    /** Projected so far. */
    readonly events: number;
    /** Still to be projected, counted up to 100 000. */
    readonly left: number;
    readonly startedAtMs: number;
  } | null;
  /** How the last one that came to its end has ended; null when none has. */
  readonly last: LastRebuild | null;
};

/**
 * Whom the exchange keeps away while it projects the last events: writers, so that the tables are read all the time; or
 * everyone. A transaction that has read the tables and waits to write them cannot end before the exchange, nor can the
 * exchange, which at last keeps readers away too, come before it. It then gives way, and is tried with everyone away from
 * the start: who has read before is let through first, and nobody comes in between.
 */
type Kept = 'writers' | 'everyone';

const MOST_COUNTED = 100_000;
const lockOf = (name: string): string => `gridbourse:rebuild:${name}`;
const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK = '40P01';
const RETRY_MS = 100;

/**
 * Rebuilds a read model from nothing beside the one that is being served, catches up with the writers, and exchanges the
 * two in one transaction. Reads go on all the time but for the few milliseconds of the exchange, writes wait while the last
 * events are projected; where transactions read the tables before they write them, reads may have to wait as long. An
 * interrupted rebuild is carried on by the next `run`. May run in a process of its own.
 */
export class ReadModelRebuild<E extends DomainEvent> {
  private readonly o: RebuildOptions<E>;
  private readonly feed: Feed;
  private readonly pageSize: number;
  private readonly maxTail: number;

  constructor(options: RebuildOptions<E>) {
    this.o = options;
    this.feed = feedOf(options.store, options.readModel);
    this.pageSize = options.pageSize ?? 500;
    // One page of the store: a longer tail would be cut.
    this.maxTail = Math.min(10_000, options.maxTail ?? 2_000);
  }

  /**
   * @param signal interrupts it between two pages: what is done is kept
   * @throws DomainError internal `unfit_read_model` before anything is done; conflict `rebuild_running` when another
   *   process rebuilds it, `writers_too_busy` when the exchange found no moment, `journal_incomplete` when not everything
   *   that it is made of was kept, `tables_changed` when a migration came in between (run it again); whatever the
   *   projection throws; the signal's reason
   */
  async run(signal?: AbortSignal): Promise<RebuildReport> {
    return this.alone(async (runner, set) => {
      const begun = await this.begin(runner, set);
      let progress = begun.progress;
      let keep: Kept = 'writers';
      for (let tries = 1; ; tries += 1) {
        progress = await this.catchUp(runner, set, progress, signal);
        await analyseShadow(runner.manager, set);
        const exchanged = await this.tryExchange(runner, set, progress, keep);
        if (typeof exchanged === 'number') {
          this.o.logger.info(
            { readModel: this.o.readModel.name, events: exchanged },
            'the read model has been rebuilt',
          );
          return { events: exchanged, resumed: begun.resumed };
        }
        keep = exchanged.next;
        if (tries >= (this.o.maxTries ?? 100)) {
          throw conflict('writers_too_busy', `no moment was found to exchange ${this.o.readModel.name}`);
        }
        await new Pacer().wait(RETRY_MS);
      }
    });
  }

  /** Throws away what an interrupted rebuild has left. @returns whether there was any */
  async abort(): Promise<boolean> {
    return this.alone(async (runner, set) =>
      inTransaction(runner, async (manager) => {
        const progress = await findProgress(manager, this.o.readModel.name);
        await dropShadow(manager, set);
        await dropProgress(manager, this.o.readModel.name);
        return progress !== null;
      }),
    );
  }

  /** Where it stands, in whatever process it runs. */
  async status(): Promise<RebuildStatus> {
    const { name } = this.o.readModel;
    const { manager } = this.o.dataSource;
    const [lock] = await manager.query<{ running: boolean }[]>(IS_LOCKED, [lockOf(name)]);
    const progress = await findProgress(manager, name);
    return {
      running: lock!.running,
      progress: progress && {
        events: progress.events,
        left: await this.feed.left(manager, progress.place, MOST_COUNTED),
        startedAtMs: progress.startedAtMs,
      },
      last: await findLast(manager, name),
    };
  }

  /** One process at a time, by a lock of the connection that does all the work. */
  private async alone<T>(work: (runner: QueryRunner, set: TableSet) => Promise<T>): Promise<T> {
    const { name, tables } = this.o.readModel;
    const lock = lockOf(name);
    const runner = this.o.dataSource.createQueryRunner();
    try {
      const [row] = (await runner.query(TAKE_LOCK, [lock])) as { taken: boolean; home: string }[];
      if (!row!.taken) throw conflict('rebuild_running', `another process rebuilds ${name}`);
      try {
        return await work(runner, tableSet(name, row!.home, tables));
      } finally {
        await runner.query(FREE_LOCK, [lock]).catch(() => undefined);
      }
    } finally {
      await runner.release();
    }
  }

  /** Carries on where an interrupted rebuild has stopped, unless the tables or the projection have changed since. */
  private async begin(runner: QueryRunner, set: TableSet): Promise<{ progress: Progress; resumed: boolean }> {
    const { name, version: projectionVersion } = this.o.readModel;
    return inTransaction(runner, async (manager) => {
      await refuseUnfitTables(manager, set);
      const shape = await shapeOf(manager, set.home, set);
      const left = await findProgress(manager, name);
      if (left?.projectionVersion === projectionVersion && left.shape === shape) {
        return { progress: left, resumed: true };
      }
      await this.feed.assertComplete(manager);
      await dropShadow(manager, set);
      await dropProgress(manager, name);
      await createShadow(manager, set);
      return { progress: await beginProgress(manager, { name, projectionVersion, shape }), resumed: false };
    });
  }

  private async catchUp(
    runner: QueryRunner,
    set: TableSet,
    from: Progress,
    signal: AbortSignal | undefined,
  ): Promise<Progress> {
    for (let progress = from; ;) {
      const page = await this.feed.settled(runner.manager, progress.place, this.pageSize);
      if (page.end === null) return progress;
      const end = page.end;
      const before = progress;
      progress = await inTransaction(runner, async (manager) => {
        const after = await advanceProgress(manager, before, end, page.count);
        await this.project(manager, set, page);
        return after;
      });
      await this.o.onPage?.(progress);
      signal?.throwIfAborted();
      if (!page.more || (await this.isShort(runner.manager, progress.place))) return progress;
    }
  }

  /**
   * What is left is for the exchange itself, which writers wait for. To go on until nothing is left would be to go on for
   * ever beside writers that are as fast as the projection.
   */
  private async isShort(manager: EntityManager, place: Cursor): Promise<boolean> {
    return (await this.feed.left(manager, place, this.maxTail)) <= this.maxTail / 2;
  }

  /** @returns how many events the new tables hold; or how it is to be tried again */
  private async tryExchange(
    runner: QueryRunner,
    set: TableSet,
    progress: Progress,
    keep: Kept,
  ): Promise<number | { readonly next: Kept }> {
    try {
      return await inTransaction(runner, (manager) => this.exchange(manager, set, progress, keep));
    } catch (error) {
      const code = (error as { driverError?: { code?: unknown } }).driverError?.code;
      if (!(error instanceof TailTooLong) && code !== LOCK_NOT_AVAILABLE && code !== DEADLOCK) throw error;
      this.o.logger.info(
        { readModel: set.shadow, reason: (error as Error).message },
        'the read models cannot be exchanged yet',
      );
      if (error instanceof TailTooLong) return { next: keep };
      return { next: keep === 'writers' ? 'everyone' : 'writers' };
    }
  }

  private async exchange(
    manager: EntityManager,
    set: TableSet,
    progress: Progress,
    keep: Kept,
  ): Promise<number> {
    await manager.query(`SELECT set_config('lock_timeout', $1, true)`, [
      // For each table: what holds one while it waits for the next must be over before Postgres looks for deadlocks.
      `${Math.ceil((this.o.lockTimeoutMs ?? 500) / set.tables.length)}ms`,
    ]);
    // In the order in which a subscription takes them.
    const { subscription } = this.o.readModel.hears === undefined ? this.o.readModel : {};
    if (subscription !== undefined) await manager.query(LOCK_CHECKPOINT, [subscription]);
    await (keep === 'writers' ? lockWriters : lockEveryone)(manager, set);
    if ((await shapeOf(manager, set.home, set)) !== progress.shape) {
      throw conflict('tables_changed', `${set.tables.join(', ')} were changed while they were being rebuilt`);
    }
    // For tables that a subscription feeds, what is settled, which is no less than the subscription has seen. For tables
    // that writers feed, everything that is committed: whoever has written the tables has ended, because we hold the
    // lock; whoever has appended and not yet written them will write the new ones.
    const tail = await this.feed[subscription === undefined ? 'visible' : 'settled'](
      manager,
      progress.place,
      this.maxTail,
    );
    if (tail.more) throw new TailTooLong(this.maxTail);
    await this.project(manager, set, tail);
    if (subscription !== undefined) await setCheckpoint(manager, subscription, tail.end ?? progress.place);
    await exchangeTables(manager, set);
    const events = progress.events + tail.count;
    await finishProgress(manager, this.o.readModel.name, events);
    return events;
  }

  private async project(manager: EntityManager, set: TableSet, portion: Portion): Promise<void> {
    if (portion.count === 0) return;
    await preferSchema(manager, [set.shadow, set.home]);
    await portion.project(manager);
    await preferSchema(manager, [set.home]);
  }
}

class TailTooLong extends Error {
  constructor(limit: number) {
    super(`${limit} events or more are left`);
  }
}

const TAKE_LOCK = `
  SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken, current_schema()::text AS home`;
// Postgres shows the two halves of the number.
const IS_LOCKED = `
  SELECT EXISTS (
    SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND d.datname = current_database()
      AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended($1, 0)
  ) AS running`;
const FREE_LOCK = `SELECT pg_advisory_unlock(hashtextextended($1, 0))`;
const LOCK_CHECKPOINT = `SELECT FROM subscription_checkpoints WHERE name = $1 FOR UPDATE`;

const inTransaction = async <T>(
  runner: QueryRunner,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> => {
  await runner.startTransaction();
  try {
    const result = await work(runner.manager);
    await runner.commitTransaction();
    return result;
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
    throw error;
  }
};
