import { isStoreTrouble } from './errors.ts';
import type { KeyValue } from './port.ts';

/** A lock counts as lost this share of its time before the store lets it go: clocks do not run equally fast. */
const SAFETY_SHARE = 0.1;

/** A lock that is ours, renewed until it is released or lost. */
export class HeldLock {
  private readonly lost = new AbortController();
  private renewal: NodeJS.Timeout | undefined;
  private expiry: NodeJS.Timeout | undefined;
  private over = false;

  /** @param askedAt moment (performance.now) before the lock was asked for: it holds from there at the shortest */
  constructor(
    private readonly store: Pick<KeyValue, 'extend' | 'release'>,
    private readonly name: string,
    /** Larger than that of every holder before. What the lock protects keeps the largest it has seen. */
    readonly token: bigint,
    private readonly ttlMs: number,
    askedAt: number,
  ) {
    this.holdsFrom(askedAt);
    this.renewLater();
  }

  /** Aborted when the lock is lost: somebody else may hold it from then on. Not by `release`. */
  get signal(): AbortSignal {
    return this.lost.signal;
  }

  /** Gives it back. A lock that is lost already, or a store that is away, is no error: it ends by itself. */
  async release(): Promise<void> {
    if (this.over) return;
    this.end();
    try {
      await this.store.release(this.name, this.token);
    } catch (error) {
      if (!isStoreTrouble(error)) throw error;
    }
  }

  private holdsFrom(askedAt: number): void {
    clearTimeout(this.expiry);
    const left = askedAt + this.ttlMs * (1 - SAFETY_SHARE) - performance.now();
    this.expiry = setTimeout(() => this.lose('it was not renewed in time'), Math.max(left, 0));
    this.expiry.unref();
  }

  private renewLater(): void {
    this.renewal = setTimeout(() => void this.renew(), this.ttlMs / 3);
    this.renewal.unref();
  }

  /** No answer is no proof of loss: it is tried again until our time is over. */
  private async renew(): Promise<void> {
    const askedAt = performance.now();
    const extended = await this.store.extend(this.name, this.token, this.ttlMs).catch(() => null);
    if (this.over) return;
    if (extended === false) return this.lose('somebody else may hold it');
    if (extended) this.holdsFrom(askedAt);
    this.renewLater();
  }

  private lose(reason: string): void {
    if (this.over) return;
    this.end();
    this.lost.abort(new Error(`the lock ${this.name} is lost: ${reason}`));
  }

  private end(): void {
    this.over = true;
    clearTimeout(this.renewal);
    clearTimeout(this.expiry);
  }
}
