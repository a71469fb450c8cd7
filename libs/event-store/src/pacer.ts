/** Lets a loop wait until it is woken or some time is over, whichever comes first. One waits at a time. */
export class Pacer {
  private woken = false;
  private closed = false;
  private waiter: (() => void) | null = null;

  /** Ends the wait in hand, or the next one if nobody waits now. Costs nothing more than that. */
  wake(): void {
    this.woken = true;
    this.waiter?.();
  }

  /** From now on nobody waits any more, not even a deaf one. */
  close(): void {
    this.closed = true;
    this.wake();
  }

  /** @param deaf waits the time out, whoever calls; only `close` ends it */
  wait(milliseconds: number, deaf = false): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiter = null;
        resolve();
      };
      const timer = setTimeout(() => {
        this.woken = false;
        done();
      }, milliseconds);
      const heed = (): void => {
        if (!this.closed && (deaf || !this.woken)) return;
        this.woken = false;
        done();
      };
      this.waiter = heed;
      heed();
    });
  }
}
