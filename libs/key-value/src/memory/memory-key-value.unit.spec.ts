import { ManualClock } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { keyValueContract } from '../../test/key-value-contract.ts';
import { memoryUnderTest } from '../../test/store-under-test.ts';
import { ExpiringMap } from './expiring-map.ts';
import { MemoryKeyValue } from './memory-key-value.ts';

keyValueContract('memory', memoryUnderTest);

describe('the memory adapter', () => {
  it('holds so many entries of a kind and no more, until some have ended', async () => {
    const clock = new ManualClock(0);
    const store = new MemoryKeyValue({ clock, maxEntries: 3 });
    for (const key of ['a', 'b', 'c']) await store.putOnce(key, '', 1_000);
    await expect(store.putOnce('d', '', 1_000)).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'key_value_full',
    });
    expect(await store.acquire('d', 1_000)).not.toBeNull(); // another kind has room of its own
    await store.putLatest([{ key: 'a', atMs: 1, value: '' }], 1_000);
    expect(await store.putLatest([{ key: 'a', atMs: 2, value: '' }], 1_000)).toEqual([true]);
    clock.advance(1_000);
    expect(await store.putOnce('d', '', 1_000)).toBe(true);
  });

  it('gives larger tokens though its clock is set back', async () => {
    let now = 5_000;
    const store = new MemoryKeyValue({ clock: { now: () => now } });
    const first = (await store.acquire('a', 10))!;
    now = 1_000;
    expect(await store.acquire('b', 10)).toBe(first + 1n);
  });

  it('forgives a debt that only a clock set back can have made', async () => {
    let now = 1_000_000;
    const store = new MemoryKeyValue({ clock: { now: () => now } });
    const policy = { quota: 2, windowMs: 1_000 };
    await store.spend('a', policy, 2);
    now = 0;
    expect(await store.spend('a', policy, 1)).toMatchObject({ allowed: false, retryAfterMs: 500 });
  });
});

describe('a map whose entries end', () => {
  it('does not grow with what has ended, though nobody asks for it again', () => {
    const clock = new ManualClock(0);
    const map = new ExpiringMap<number>(clock, 100_000);
    for (let n = 0; n < 50_000; n += 1) {
      map.set(`k${n}`, n, clock.now() + 100);
      clock.advance(1);
    }
    expect(map.size).toBeLessThanOrEqual(300);
  });
});
