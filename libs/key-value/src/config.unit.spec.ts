import { ManualClock } from '@gridbourse/kernel';
import { silentLogger } from '@gridbourse/observability';
import { describe, expect, it } from '@jest/globals';
import { keyValueConfig } from './config.ts';
import { openKeyValue } from './open-key-value.ts';

describe('the configuration of the key-value store', () => {
  it('has defaults for all but where it is', () => {
    expect(keyValueConfig.parse({ adapter: 'memory' })).toEqual({ adapter: 'memory', maxEntries: 100_000 });
    expect(keyValueConfig.parse({ adapter: 'redis', url: 'rediss://r:6379/2' })).toEqual({
      adapter: 'redis',
      url: 'rediss://r:6379/2',
      prefix: 'gridbourse',
      callTimeoutMs: 500,
      connectTimeoutMs: 2_000,
      maxReconnectPauseMs: 2_000,
      maxPendingCalls: 10_000,
    });
  });

  it.each([
    [{ adapter: 'memcached' }, 'adapter'],
    [{ adapter: 'redis' }, 'url'],
    [{ adapter: 'redis', url: 'http://r' }, 'url'],
    [{ adapter: 'redis', url: 'redis://r', prefix: 'a b' }, 'prefix'],
    [{ adapter: 'redis', url: 'redis://r', callTimeoutMs: 0 }, 'callTimeoutMs'],
  ])('refuses %j', (input, field) => {
    expect(keyValueConfig.safeParse(input).error?.issues[0]?.path).toEqual([field]);
  });

  it('opens the adapter it names, with the clock it is given', async () => {
    const clock = new ManualClock(0);
    const store = await openKeyValue(keyValueConfig.parse({ adapter: 'memory' }), {
      logger: silentLogger,
      clock,
    });
    await store.putOnce('k', 'v', 10);
    clock.advance(10);
    expect(await store.take('k')).toBeNull();
  });
});
