import type { BatchHandler, Delivery } from '../port.ts';
import type { Slots } from './signal.ts';

/** A lane that has records ready. It is asked for them when a batch begins: by then it may have more. */
export type Run = {
  /** @returns what the batch handler has prepared of its next records, in order; none when it must not begin now */
  readonly take: (most: number) => readonly unknown[];
  /** Called once, with whether all that was taken is handled. If it is not, each has to be handled alone. Must not throw. */
  readonly done: (handled: boolean) => void;
};

type Taken = { readonly run: Run; readonly prepared: readonly unknown[] };

/** Records in one batch, at most. */
const MOST = 500;
/** Of them, those of one lane. */
const MOST_OF_ONE = 50;
/** So many lanes waiting are worth another batch beside those that run. */
const WORTH_ANOTHER = 50;
/** From so many failures of one batch and its parts on, it is not one record's fault, and the rest goes one by one. */
const MOST_FAILURES = 20;
/** Fewer than that wait so long for company, in milliseconds. */
const PATIENCE_MS = 5;

/**
 * Puts together what the lanes of all partitions have ready, so that many records share one transaction. Under little
 * load a record goes alone and at once; while a batch is being handled the next one gathers.
 */
export class Batcher {
  private waiting: Run[] = [];
  private running = 0;
  private timer: NodeJS.Timeout | NodeJS.Immediate | null = null;

  constructor(
    private readonly batch: BatchHandler,
    private readonly slots: Slots,
    private readonly concurrency: number,
  ) {}

  prepare(delivery: Delivery): unknown {
    return this.batch.prepare(delivery);
  }

  submit(run: Run): void {
    this.waiting.push(run);
    // What becomes ready in the same turn of the event loop goes together.
    this.timer ??= setImmediate(() => this.launch());
  }

  private launch(): void {
    this.timer = null;
    while (this.waiting.length > 0 && this.running < this.concurrency) {
      if (this.running > 0 && this.waiting.length < WORTH_ANOTHER) {
        this.timer = setTimeout(() => this.launchOne(), PATIENCE_MS);
        return;
      }
      this.begin();
    }
  }

  private launchOne(): void {
    this.timer = null;
    if (this.waiting.length > 0 && this.running < this.concurrency) this.begin();
    if (this.waiting.length > 0) this.launch();
  }

  private begin(): void {
    this.running += 1;
    void this.slots
      .use(() => this.handleNext())
      .finally(() => {
        this.running -= 1;
        if (this.waiting.length > 0 && !this.timer) this.launch();
      });
  }

  private async handleNext(): Promise<void> {
    const taken: Taken[] = [];
    const apart: Run[] = [];
    let [asked, count] = [0, 0];
    while (asked < this.waiting.length && count < MOST) {
      const run = this.waiting[asked]!;
      asked += 1;
      const prepared = run.take(Math.min(MOST_OF_ONE, MOST - count));
      count += prepared.length;
      if (prepared.length > 0) taken.push({ run, prepared });
      else apart.push(run);
    }
    this.waiting = this.waiting.slice(asked);
    if (taken.length > 0) await this.handle(taken, { failures: 0 });
    for (const run of apart) run.done(false);
  }

  /**
   * Handles them together; where that fails, in halves, so that one record that fails costs a few transactions and not one
   * for each of the others.
   */
  private async handle(taken: readonly Taken[], soFar: { failures: number }): Promise<void> {
    const together = taken.flatMap(({ prepared }) => prepared);
    const handled = together.length > 1 && (await this.succeeds(together));
    if (!handled && together.length > 1) soFar.failures += 1;
    if (handled || taken.length === 1 || soFar.failures >= MOST_FAILURES) {
      for (const { run } of taken) run.done(handled);
      return;
    }
    const half = taken.length >> 1;
    await this.handle(taken.slice(0, half), soFar);
    await this.handle(taken.slice(half), soFar);
  }

  /** Why it failed is said by whichever record fails alone. */
  private succeeds(together: readonly unknown[]): Promise<boolean> {
    return this.batch.handle(together).then(
      () => true,
      () => false,
    );
  }
}
