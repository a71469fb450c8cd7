import { eventually } from '@gridbourse/testing';
import { describe, expect, it } from '@jest/globals';
import { unavailable } from './errors.ts';
import { Locks } from './locks.ts';
import { MemoryKeyValue } from './memory/memory-key-value.ts';

describe('a lock', () => {
  it('is renewed for as long as it is held, and free afterwards', async () => {
    const store = new MemoryKeyValue();
    const locks = new Locks(store, { scope: 's', ttlMs: 150 });
    const lock = (await locks.acquire('a'))!;
    const since = performance.now();
    await eventually(async () => {
      expect(await locks.acquire('a')).toBeNull();
      return performance.now() - since > 500;
    });
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
    const store = new MemoryKeyValue();
    const failing = Object.assign(Object.create(store) as MemoryKeyValue, {
      extend: () => Promise.reject(unavailable('gone')),
    });
    const locks = new Locks(failing, { scope: 's', ttlMs: 1_000 });
    const since = performance.now();
    const lock = (await locks.acquire('a'))!;
    await eventually(() => lock.signal.aborted);
    expect(performance.now() - since).toBeGreaterThanOrEqual(890);
    await lock.release();
  });

  it('is not lost by one renewal that got no answer', async () => {
    const store = new MemoryKeyValue();
    let calls = 0;
    const flaky = Object.assign(Object.create(store) as MemoryKeyValue, {
      extend: (name: string, token: bigint, ttlMs: number) =>
        (calls += 1) === 1 ? Promise.reject(unavailable('hiccup')) : store.extend(name, token, ttlMs),
    });
    const lock = (await new Locks(flaky, { scope: 's', ttlMs: 600 }).acquire('a'))!;
    await eventually(() => calls >= 5, { deadlineMs: 10_000 });
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
