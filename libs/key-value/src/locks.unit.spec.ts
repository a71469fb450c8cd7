import { eventually } from '@gridbourse/testing';
import { describe, expect, it } from '@jest/globals';
import { unavailable } from './errors.ts';
import { Locks } from './locks.ts';
import { MemoryKeyValue } from './memory/memory-key-value.ts';
import type { KeyValue } from './port.ts';

/** The store, with the first so many renewals unanswered. */
const countingRenewals = (store: MemoryKeyValue, { failing = 0 } = {}) => {
  let renewals = 0;
  const counted: Pick<KeyValue, 'acquire' | 'extend' | 'release'> = {
    acquire: (name, ttlMs) => store.acquire(name, ttlMs),
    release: (name, token) => store.release(name, token),
    extend: (name, token, ttlMs) => {
      renewals += 1;
      return renewals <= failing ? Promise.reject(unavailable('gone')) : store.extend(name, token, ttlMs);
    },
  };
  return { store: counted, renewals: () => renewals };
};

describe('a lock', () => {
  it('is renewed for as long as it is held, and free afterwards', async () => {
    const store = new MemoryKeyValue();
    const counted = countingRenewals(store);
    const locks = new Locks(counted.store, { scope: 's', ttlMs: 1_500 });
    const lock = (await locks.acquire('a'))!;
    await eventually(() => counted.renewals() >= 4, { deadlineMs: 20_000 }); // longer than it would live by itself
    expect(await locks.acquire('a')).toBeNull();
    expect(lock.signal.aborted).toBe(false);
    await lock.release();
    await lock.release();
    expect(lock.signal.aborted).toBe(false);
    const next = (await locks.acquire('a'))!;
    expect(next.token).toBeGreaterThan(lock.token);
    await next.release();
  });

  it('tells its holder when somebody else may have it', async () => {
    const store = new MemoryKeyValue();
    const locks = new Locks(store, { scope: 's', ttlMs: 120 });
    const lock = (await locks.acquire('a'))!;
    await store.release('s/a', lock.token); // what an operator does, or a server that lost its data
    const next = (await locks.acquire('a'))!;
    await eventually(() => lock.signal.aborted);
    expect(String(lock.signal.reason)).toContain('somebody else may hold it');
    await lock.release(); // the other's is untouched
    expect(await locks.acquire('a')).toBeNull();
    await next.release();
  });

  it('is lost before its time is over when the store does not answer', async () => {
    const failing = countingRenewals(new MemoryKeyValue(), { failing: Number.POSITIVE_INFINITY });
    const locks = new Locks(failing.store, { scope: 's', ttlMs: 1_000 });
    const since = performance.now();
    const lock = (await locks.acquire('a'))!;
    await eventually(() => lock.signal.aborted);
    expect(performance.now() - since).toBeGreaterThanOrEqual(890);
    await lock.release();
  });

  it('is not lost by one renewal that got no answer', async () => {
    const counted = countingRenewals(new MemoryKeyValue(), { failing: 1 });
    const lock = (await new Locks(counted.store, { scope: 's', ttlMs: 1_500 }).acquire('a'))!;
    await eventually(() => counted.renewals() >= 4, { deadlineMs: 20_000 });
    expect(lock.signal.aborted).toBe(false);
    await lock.release();
  });

  it('is released when the work under it has failed', async () => {
    const locks = new Locks(new MemoryKeyValue(), { scope: 's', ttlMs: 60_000 });
    await expect(locks.withLock('a', () => Promise.reject(new Error('work')))).rejects.toThrow('work');
    const answer = await locks.withLock('a', async (lock) => {
      await expect(locks.withLock('a', () => Promise.resolve())).rejects.toMatchObject({ code: 'lock_held' });
      return lock.token > 0n;
    });
    expect(answer).toBe(true);
  });
});
