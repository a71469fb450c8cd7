/** A budget that refills steadily: at most `quota` at once, and the whole of it again after `windowMs`. */
export type RatePolicy = {
  /** Units that may be spent at once; integer of at least 1. */
  readonly quota: number;
  /** Time in which an empty budget is full again, milliseconds. */
  readonly windowMs: number;
};

export type Spent = {
  readonly allowed: boolean;
  /** Whole units that could be spent right now. */
  readonly remaining: number;
  /** Until the budget is full again, milliseconds, rounded up. */
  readonly resetMs: number;
  /** Until the same cost would be allowed, milliseconds, rounded up; 0 when it was allowed. */
  readonly retryAfterMs: number;
};

export type LatestEntry = {
  readonly key: string;
  /** When the value was true, by whoever observed it; milliseconds since the epoch. */
  readonly atMs: number;
  readonly value: string;
};
export type Latest = Pick<LatestEntry, 'atMs' | 'value'>;

/**
 * What is kept outside the databases because it is short-lived and hot, in the few atomic operations that its users
 * need. Each family of operations has keys of its own. Everything expires; the store's clock counts, not the caller's.
 *
 * Every operation answers within the deadline of the adapter or throws:
 * - DomainError `invalid`: a key, value, time or amount outside the limits of limits.ts
 * - DomainError `unavailable`, `key_value_unavailable`: no answer. Whether it was done is then unknown; nothing is tried
 *   again behind the caller's back.
 * - DomainError `exhausted`, `key_value_full`: no room for something new
 */
export interface KeyValue {
  /** Takes `cost` units of a budget, or none when it does not hold so many. Atomic. */
  spend(key: string, policy: RatePolicy, cost: number): Promise<Spent>;

  /** Keeps a value that {@link take} hands out once. False, and nothing changed, where the key is in use. */
  putOnce(key: string, value: string, ttlMs: number): Promise<boolean>;
  /** The value, to one caller of any number; null to everybody else, and when there is none (any more). */
  take(key: string): Promise<string | null>;

  /**
   * Keeps each value that is newer than the one kept, in the order given; the time to live starts again with it. What
   * is as old or older changes nothing. True for each that was kept.
   */
  putLatest(entries: readonly LatestEntry[], ttlMs: number): Promise<readonly boolean[]>;
  /** In the order of the keys; null for what is not (or no longer) there. */
  getLatest(keys: readonly string[]): Promise<readonly (Latest | null)[]>;

  /**
   * Takes a lock: its fencing token, larger than every token given before; null while somebody holds it. The token
   * proves ownership to {@link extend} and {@link release}.
   */
  acquire(name: string, ttlMs: number): Promise<bigint | null>;
  /** The lock then ends `ttlMs` from now. False: it is not held with this token any more. */
  extend(name: string, token: bigint, ttlMs: number): Promise<boolean>;
  /** False: it was not held with this token any more. */
  release(name: string, token: bigint): Promise<boolean>;

  /** Whether a call has a chance now: a hint for metrics, no promise. */
  isAvailable(): boolean;
  /** Gives up connections; calls fail from then on. */
  close(): Promise<void>;
}
