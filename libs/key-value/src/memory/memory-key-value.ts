import { type Clock, systemClock } from '@gridbourse/kernel';
import { unavailable } from '../errors.ts';
import { cellOf, debtUs, fits, spentOf } from '../gcra.ts';
import { checkBatch, checkEntries, checkKey, checkSpend, checkTtl, checkValue } from '../limits.ts';
import type { KeyValue, Latest, LatestEntry, RatePolicy, Spent } from '../port.ts';
import { ExpiringMap } from './expiring-map.ts';

const DEFAULT_MAX_ENTRIES = 100_000;

/**
 * For one process: nothing is shared, nothing outlives it. Each family of operations holds at most `maxEntries`, so that
 * a flood of one leaves the others alone.
 */
export class MemoryKeyValue implements KeyValue {
  private readonly clock: Clock;
  /** Instants, in microseconds, at which budgets are full again. */
  private readonly budgets: ExpiringMap<number>;
  private readonly onceOnly: ExpiringMap<string>;
  private readonly latest: ExpiringMap<Latest>;
  private readonly locks: ExpiringMap<bigint>;
  private lastToken = 0n;
  private closed = false;

  constructor({
    clock = systemClock,
    maxEntries = DEFAULT_MAX_ENTRIES,
  }: { clock?: Clock; maxEntries?: number } = {}) {
    this.clock = clock;
    this.budgets = new ExpiringMap(clock, maxEntries);
    this.onceOnly = new ExpiringMap(clock, maxEntries);
    this.latest = new ExpiringMap(clock, maxEntries);
    this.locks = new ExpiringMap(clock, maxEntries);
  }

  spend(key: string, policy: RatePolicy, cost: number): Promise<Spent> {
    return this.answer(() => {
      checkKey(key);
      checkSpend(policy, cost);
      const cell = cellOf(policy);
      const nowUs = this.clock.now() * 1_000;
      const debt = debtUs(cell, this.budgets.get(key) ?? null, nowUs);
      if (!fits(cell, debt, cost)) return spentOf(cell, debt, false, cost);
      const after = debt + cost * cell.intervalUs;
      this.budgets.set(key, nowUs + after, this.clock.now() + Math.ceil(after / 1_000));
      return spentOf(cell, after, true, cost);
    });
  }

  putOnce(key: string, value: string, ttlMs: number): Promise<boolean> {
    return this.answer(() => {
      checkKey(key);
      checkValue(value);
      checkTtl(ttlMs);
      if (this.onceOnly.get(key) !== undefined) return false;
      this.onceOnly.set(key, value, this.clock.now() + ttlMs);
      return true;
    });
  }

  take(key: string): Promise<string | null> {
    return this.answer(() => {
      checkKey(key);
      const value = this.onceOnly.get(key);
      this.onceOnly.delete(key);
      return value ?? null;
    });
  }

  putLatest(entries: readonly LatestEntry[], ttlMs: number): Promise<readonly boolean[]> {
    return this.answer(() => {
      checkEntries(entries);
      checkTtl(ttlMs);
      const expiresAtMs = this.clock.now() + ttlMs;
      return entries.map(({ key, atMs, value }) => {
        const known = this.latest.get(key);
        if (known && atMs <= known.atMs) return false;
        this.latest.set(key, { atMs, value }, expiresAtMs);
        return true;
      });
    });
  }

  getLatest(keys: readonly string[]): Promise<readonly (Latest | null)[]> {
    return this.answer(() => {
      checkBatch(keys);
      keys.forEach(checkKey);
      return keys.map((key) => this.latest.get(key) ?? null);
    });
  }

  acquire(name: string, ttlMs: number): Promise<bigint | null> {
    return this.answer(() => {
      checkKey(name);
      checkTtl(ttlMs);
      if (this.locks.get(name) !== undefined) return null;
      const nowUs = BigInt(this.clock.now()) * 1_000n;
      const token = nowUs > this.lastToken ? nowUs : this.lastToken + 1n;
      this.locks.set(name, token, this.clock.now() + ttlMs);
      this.lastToken = token;
      return token;
    });
  }

  extend(name: string, token: bigint, ttlMs: number): Promise<boolean> {
    return this.answer(() => {
      checkKey(name);
      checkTtl(ttlMs);
      if (this.locks.get(name) !== token) return false;
      this.locks.set(name, token, this.clock.now() + ttlMs);
      return true;
    });
  }

  release(name: string, token: bigint): Promise<boolean> {
    return this.answer(() => {
      checkKey(name);
      if (this.locks.get(name) !== token) return false;
      this.locks.delete(name);
      return true;
    });
  }

  isAvailable(): boolean {
    return !this.closed;
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** Whatever is thrown becomes a rejection, as with an adapter that has to wait. */
  private answer<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => {
      if (this.closed) throw unavailable('it was closed');
      resolve(work());
    });
  }
}
