import type { DataSource, QueryRunner } from 'typeorm';
import { Pacer } from './pacer.ts';

/**
 * When to look again: `now` when there is more, `soon` when events wait for older transactions to end, `later` when there
 * is nothing to do.
 */
export type Again = 'now' | 'soon' | 'later';

export type SingleOwnerOptions = {
  /** Whose database holds the lock. */
  readonly dataSource: DataSource;
  /** Names the lock: one process that asks for this name in this database is the owner. */
  readonly lock: string;
  /** Milliseconds between looks without a wake-up. */
  readonly pollMs: number;
  /** The longest pause after failures, milliseconds. */
  readonly maxBackoffMs: number;
  /** Called when the lock is taken. @returns the work of one round, on the connection that holds the lock */
  readonly begin: (runner: QueryRunner) => Promise<() => Promise<Again>>;
  readonly onFailure: (error: unknown, failures: number) => void;
};

/** Pauses while events wait for older transactions, milliseconds: short at first, doubled until there is progress. */
const SOON_MS = 3;
const SOON_AT_MOST_MS = 50;

/**
 * Work that one process does while the others stand by: the one whose connection holds an advisory lock. They take over
 * when that connection ends, whatever became of the process. A failed round is repeated after a growing pause, under a
 * lock that is taken anew.
 */
export class SingleOwner {
  private readonly o: SingleOwnerOptions;
  private pacer = new Pacer();
  private stopping = false;
  private running: Promise<void> | null = null;
  private owner = false;

  constructor(options: SingleOwnerOptions) {
    this.o = options;
  }

  start(): void {
    if (this.running) return;
    this.stopping = false;
    this.pacer = new Pacer();
    this.running = this.run();
  }

  /** There may be something to do. A hint: the owner also looks by itself. */
  wake(): void {
    this.pacer.wake();
  }

  /** Finishes the round in hand, then gives the lock to another process. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.pacer.close();
    await this.running;
    this.running = null;
  }

  /** Whether this process has the lock, as far as it knows. */
  get owns(): boolean {
    return this.owner;
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.stopping;) {
      try {
        await this.serve(() => (failures = 0));
      } catch (error) {
        failures += 1;
        this.o.onFailure(error, failures);
        await this.pacer.wait(Math.min(this.o.maxBackoffMs, 25 * 2 ** Math.min(failures, 12)), true);
      }
    }
  }

  /** Holds one connection: waits on it for the lock, then works until told to stop or something fails. */
  private async serve(onHealthy: () => void): Promise<void> {
    const runner = this.o.dataSource.createQueryRunner();
    let round: (() => Promise<Again>) | null = null;
    let soonMs = SOON_MS;
    try {
      while (!this.stopping) {
        round ??= await this.takeOver(runner);
        const again = round ? await round() : 'later';
        if (round) onHealthy();
        if (again === 'now') continue;
        const waits = again === 'soon' ? Math.min(soonMs, SOON_AT_MOST_MS, this.o.pollMs) : this.o.pollMs;
        soonMs = again === 'soon' ? soonMs * 2 : SOON_MS;
        await this.pacer.wait(waits, again === 'soon');
      }
    } finally {
      if (this.owner) await runner.query(UNLOCK, [this.o.lock]).catch(() => undefined);
      this.owner = false;
      await runner.release();
    }
  }

  private async takeOver(runner: QueryRunner): Promise<(() => Promise<Again>) | null> {
    const [lock] = (await runner.query(TRY_LOCK, [this.o.lock])) as { taken: boolean }[];
    if (!lock!.taken) return null;
    this.owner = true;
    return this.o.begin(runner);
  }
}

const TRY_LOCK = `SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken`;
const UNLOCK = `SELECT pg_advisory_unlock(hashtextextended($1, 0))`;
