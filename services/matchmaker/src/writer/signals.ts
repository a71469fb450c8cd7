/** Wakes those who wait for news of something. Only a hint: whoever waits also looks by itself. */
export class Signals<Key> {
  private readonly waiting = new Map<Key, Set<() => void>>();

  notify(keys: Iterable<Key>): void {
    for (const key of keys) {
      const all = this.waiting.get(key);
      if (!all) continue;
      this.waiting.delete(key);
      for (const wake of all) wake();
    }
  }

  /**
   * Arms the signal at once, before the caller looks, so that news between looking and waiting are not missed.
   * @returns resolves at the next news, after `atMostMs`, or when the signal aborts; `cancel` gives it up
   */
  next(key: Key, atMostMs: number, abort?: AbortSignal): { promise: Promise<void>; cancel: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const all = this.waiting.get(key) ?? new Set();
    this.waiting.set(key, all);
    const done = (): void => {
      clearTimeout(timer);
      abort?.removeEventListener('abort', done);
      all.delete(done);
      if (all.size === 0 && this.waiting.get(key) === all) this.waiting.delete(key);
      resolve();
    };
    const timer = setTimeout(done, atMostMs);
    all.add(done);
    if (abort?.aborted) done();
    else abort?.addEventListener('abort', done, { once: true });
    return { promise, cancel: done };
  }
}
