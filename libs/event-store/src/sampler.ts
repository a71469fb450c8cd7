/** Takes a measurement again and again, never two at once. One that fails is left out: the next one tells. */
export class Sampler {
  private readonly everyMs: number;
  private readonly measure: () => Promise<void>;
  private timer: NodeJS.Timeout | null = null;
  private inHand: Promise<void> = Promise.resolve();

  /** @param everyMs milliseconds between the end of one and the start of the next */
  constructor(everyMs: number, measure: () => Promise<void>) {
    this.everyMs = everyMs;
    this.measure = measure;
  }

  start(): void {
    if (this.timer === null) this.schedule(0);
  }

  /** Waits for the measurement in hand. */
  async stop(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await this.inHand;
  }

  private schedule(afterMs: number): void {
    const timer = setTimeout(() => {
      this.inHand = this.measure()
        .catch(() => undefined)
        .finally(() => {
          if (this.timer === timer) this.schedule(this.everyMs);
        });
    }, afterMs);
    timer.unref();
    this.timer = timer;
  }
}
