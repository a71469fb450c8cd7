import { DomainError } from '@gridbourse/kernel';
import { HeldLock } from './held-lock.ts';
import type { KeyValue } from './port.ts';

/**
 * Locks for efficiency, tokens for safety. A lock says who should work; it cannot stop a holder that was suspended
 * and goes on after its time. What a lock protects must therefore refuse a token smaller than one it has seen:
 * see postgres-fence.ts. Fails closed: without an answer of the store nobody holds anything.
 */
export class Locks {
  constructor(
    private readonly store: Pick<KeyValue, 'acquire' | 'extend' | 'release'>,
    private readonly options: {
      /** What tells these locks from others of the same store. */
      readonly scope: string;
      /** A holder that dies is followed after so long at the latest; a living one renews its lock three times as often. */
      readonly ttlMs: number;
    },
  ) {}

  /**
   * @returns null while somebody else holds it
   * @throws DomainError `key_value_unavailable`: it may be held by nobody for a time to live
   */
  async acquire(name: string): Promise<HeldLock | null> {
    const key = `${this.options.scope}/${name}`;
    const askedAt = performance.now();
    const token = await this.store.acquire(key, this.options.ttlMs);
    return token === null ? null : new HeldLock(this.store, key, token, this.options.ttlMs, askedAt);
  }

  /**
   * Works under the lock, and releases it whatever happens. The work is told by `lock.signal` when the lock is lost, and
   * hands `lock.token` to what it changes.
   * @throws DomainError `lock_held` (conflict) when somebody else holds it; `key_value_unavailable`; what the work throws
   */
  async withLock<T>(name: string, work: (lock: HeldLock) => Promise<T>): Promise<T> {
    const lock = await this.acquire(name);
    if (!lock) throw new DomainError('conflict', 'lock_held', `somebody else holds the lock ${name}`);
    try {
      return await work(lock);
    } finally {
      await lock.release();
    }
  }
}
