import { ManualClock } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { MemoryKeyValue } from './memory/memory-key-value.ts';
import { OneTimeTokens } from './one-time-tokens.ts';
import type { KeyValue } from './port.ts';

const clock = new ManualClock(0);
const store = new MemoryKeyValue({ clock });
const tokens = new OneTimeTokens(store, { scope: 'login', ttlMs: 1_000 });

describe('one-time tokens', () => {
  it('are good once, for those they were issued for, and carry a payload', async () => {
    const token = await tokens.issue('for ann');
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    const elsewhere = new OneTimeTokens(store, { scope: 'reset', ttlMs: 1_000 });
    expect(await elsewhere.consume(token)).toBeNull();
    const taken = await Promise.all([1, 2, 3].map(() => tokens.consume(token)));
    expect(taken.filter((payload) => payload !== null)).toEqual(['for ann']);
  });

  it('end with their time', async () => {
    const token = await tokens.issue();
    clock.advance(999);
    expect(await tokens.consume(token)).toBe('');
    const late = await tokens.issue();
    clock.advance(1_000);
    expect(await tokens.consume(late)).toBeNull();
  });

  it.each(['', 'nonsense', 'ä\n\u0000', 'x'.repeat(100_000)])('were not issued: %#', async (token) => {
    expect(await tokens.consume(token)).toBeNull();
  });

  it('are kept as digests', async () => {
    const keys: string[] = [];
    const spy: Pick<KeyValue, 'putOnce' | 'take'> = {
      putOnce: (key) => Promise.resolve(keys.push(key) > 0),
      take: () => Promise.resolve(null),
    };
    const token = await new OneTimeTokens(spy, { scope: 's', ttlMs: 1 }).issue();
    expect(keys).toHaveLength(1);
    expect(keys[0]).not.toContain(token);
  });

  it('are neither issued nor taken while the store is away', async () => {
    const away = new MemoryKeyValue();
    await away.close();
    const none = new OneTimeTokens(away, { scope: 's', ttlMs: 1 });
    await expect(none.issue()).rejects.toMatchObject({ code: 'key_value_unavailable' });
    await expect(none.consume('x')).rejects.toMatchObject({ code: 'key_value_unavailable' });
  });
});
