import type { BatchHandler, Delivery } from '../port.ts';
import type { Slots } from './signal.ts';

type Run = {
  readonly deliveries: readonly Delivery[];
  readonly stopping: AbortSignal;
  readonly done: (handled: boolean) => void;
};

/** Records in one batch, at most. */
const MOST = 500;
/** So many waiting are worth another batch beside those that run. */
const WORTH_ANOTHER = 50;
/** Fewer than that wait so long for company, in milliseconds. */
const PATIENCE_MS = 5;

/**
 * Puts together what the lanes of all partitions have ready, so that many records share one transaction. Under little
 * load a record goes alone and at once; while a batch is being handled the next one gathers.
 */
export class Batcher {
  private readonly waiting: Run[] = [];
  private waitingDeliveries = 0;
  private running = 0;
  private timer: NodeJS.Timeout | NodeJS.Immediate | null = null;

  constructor(
    private readonly batch: BatchHandler,
    private readonly slots: Slots,
    private readonly concurrency: number,
  ) {}

  accepts(delivery: Delivery): boolean {
    return this.batch.accepts(delivery);
  }

  /**
   * @param deliveries of one key, in order
   * @returns true when all are handled; false when none is, and each has to be handled alone
   */
  submit(deliveries: readonly Delivery[], stopping: AbortSignal): Promise<boolean> {
    return new Promise((done) => {
      this.waiting.push({ deliveries, stopping, done });
      this.waitingDeliveries += deliveries.length;
      // What becomes ready in the same turn of the event loop goes together.
      this.timer ??= setImmediate(() => this.launch());
    });
  }

  private launch(): void {
    this.timer = null;
    while (this.waiting.length > 0 && this.running < this.concurrency) {
      if (this.running > 0 && this.waitingDeliveries < WORTH_ANOTHER) {
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
      .use(() => this.handle(this.gather()))
      .finally(() => {
        this.running -= 1;
        if (this.waiting.length > 0 && !this.timer) this.launch();
      });
  }

  private gather(): Run[] {
    const runs: Run[] = [];
    let count = 0;
    while (this.waiting[0] && (count === 0 || count + this.waiting[0].deliveries.length <= MOST)) {
      const run = this.waiting.shift()!;
      count += run.deliveries.length;
      runs.push(run);
    }
    this.waitingDeliveries -= count;
    return runs;
  }

  private async handle(runs: readonly Run[]): Promise<void> {
    const live = runs.filter(({ stopping }) => !stopping.aborted);
    const deliveries = live.flatMap((run) => run.deliveries);
    let handled = false;
    if (deliveries.length > 1) {
      // Why it failed is said by whichever record fails alone.
      handled = await this.batch.handle(deliveries).then(
        () => true,
        () => false,
      );
    }
    const together = new Set(handled ? live : []);
    for (const run of runs) run.done(together.has(run));
  }
}
