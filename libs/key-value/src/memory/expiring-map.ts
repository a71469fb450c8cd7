import type { Clock, Instant } from '@gridbourse/kernel';
import { full } from '../errors.ts';

type Entry<V> = { readonly value: V; readonly expiresAtMs: Instant };

const WRITES_BETWEEN_SWEEPS = 64;

/** A map of bounded size whose entries end at their time. Swept when there is something to gain, not by a timer. */
export class ExpiringMap<V> {
  private readonly entries = new Map<string, Entry<V>>();
  /** No entry ends before. */
  private nextEndMs = Number.POSITIVE_INFINITY;
  private writesSinceSweep = 0;
  private sizeAfterSweep = 0;

  constructor(
    private readonly clock: Clock,
    private readonly maxEntries: number,
  ) {}

  /** Entries held, ended ones that were not swept yet included. */
  get size(): number {
    return this.entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    if (entry.expiresAtMs > this.clock.now()) return entry.value;
    this.entries.delete(key);
    return undefined;
  }

  /** @throws DomainError `key_value_full` when it would be one entry too many; a known key can always be written */
  set(key: string, value: V, expiresAtMs: Instant): void {
    this.writesSinceSweep += 1;
    // A sweep costs as much as there are entries. After as many writes that is little for each of them.
    if (this.writesSinceSweep > this.sizeAfterSweep + WRITES_BETWEEN_SWEEPS) this.sweep();
    if (!this.entries.has(key) && this.entries.size >= this.maxEntries) {
      this.sweep();
      if (this.entries.size >= this.maxEntries) throw full(`${this.maxEntries} entries are held`);
    }
    this.entries.set(key, { value, expiresAtMs });
    this.nextEndMs = Math.min(this.nextEndMs, expiresAtMs);
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  private sweep(): void {
    const now = this.clock.now();
    if (now < this.nextEndMs) return;
    this.nextEndMs = Number.POSITIVE_INFINITY;
    for (const [key, { expiresAtMs }] of this.entries) {
      if (expiresAtMs <= now) this.entries.delete(key);
      else this.nextEndMs = Math.min(this.nextEndMs, expiresAtMs);
    }
    this.writesSinceSweep = 0;
    this.sizeAfterSweep = this.entries.size;
  }
}
