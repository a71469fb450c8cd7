import { describe, expect, it } from '@jest/globals';
import { full, unavailable } from './errors.ts';
import { MemoryKeyValue } from './memory/memory-key-value.ts';
import { RateLimiter } from './rate-limiter.ts';

const policy = { name: 'writes', quota: 2, windowMs: 60_000 };
const never = (): never => {
  throw new Error('nobody fails open here');
};

describe('a rate limiter', () => {
  it('has a budget for each subject, apart from those of other scopes and policies', async () => {
    const store = new MemoryKeyValue();
    const limiter = new RateLimiter(store, 'registry', policy, never);
    const others = [
      new RateLimiter(store, 'billing', policy, never),
      new RateLimiter(store, 'registry', { ...policy, name: 'reads' }, never),
    ];
    expect(await limiter.spend('ann', 2)).toMatchObject({
      allowed: true,
      remaining: 0,
      enforced: true,
      policy,
    });
    expect(await limiter.spend('ann')).toMatchObject({ allowed: false, enforced: true });
    expect(await limiter.spend('bob')).toMatchObject({ allowed: true });
    for (const other of others) expect(await other.spend('ann')).toMatchObject({ allowed: true });
  });

  it.each([
    ['away', unavailable('gone')],
    ['full', full('no room')],
  ])('lets everybody through, and says so, when the store is %s', async (_, trouble) => {
    const failures: Error[] = [];
    const store = { spend: () => Promise.reject(trouble) };
    const limiter = new RateLimiter(store, 's', policy, (error) => failures.push(error));
    expect(await limiter.spend('ann')).toMatchObject({ allowed: true, enforced: false, retryAfterMs: 0 });
    expect(failures).toEqual([trouble]);
  });

  it('lets nobody through on a mistake of ours', async () => {
    const limiter = new RateLimiter(new MemoryKeyValue(), 's', policy, never);
    await expect(limiter.spend('ann', 3)).rejects.toMatchObject({ code: 'cost_above_quota' });
    await expect(limiter.spend('a n n')).rejects.toMatchObject({ code: 'invalid_key' });
  });
});
