import { ManualClock } from '@gridbourse/kernel';
import { silentLogger } from '@gridbourse/observability';
import { eventually } from '@gridbourse/testing';
import { randomBytes } from 'node:crypto';
import { createClient } from 'redis';
import { type KeyValue, keyValueConfig, MemoryKeyValue, type RedisConfig } from '../src/index.ts';
import { RedisKeyValue } from '../src/redis/redis-key-value.ts';

/** A store as two processes see it, and the passing of its time. */
export type StoreUnderTest = {
  readonly store: KeyValue;
  /** Another client of the same data; for the memory adapter, which has none, the same. */
  readonly other: KeyValue;
  /** The store's own clock, microseconds. */
  nowUs(): Promise<number>;
  /** Returns when the store's clock has moved by at least so much. */
  pass(milliseconds: number): Promise<void>;
  close(): Promise<void>;
};

export const memoryUnderTest = (): Promise<StoreUnderTest> => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const store = new MemoryKeyValue({ clock });
  return Promise.resolve({
    store,
    other: store,
    nowUs: () => Promise.resolve(clock.now() * 1_000),
    pass: (milliseconds) => {
      clock.advance(milliseconds);
      return Promise.resolve();
    },
    close: () => store.close(),
  });
};

export const redisConfigOf = (url: string, changes: Record<string, unknown> = {}): RedisConfig =>
  keyValueConfig.parse({
    adapter: 'redis',
    url,
    prefix: `t${randomBytes(6).toString('hex')}`,
    callTimeoutMs: 10_000, // a busy machine is no fault
    ...changes,
  }) as RedisConfig;

export const redisUnderTest = async (url: string): Promise<StoreUnderTest> => {
  const config = redisConfigOf(url);
  const [store, other] = [new RedisKeyValue(config, silentLogger), new RedisKeyValue(config, silentLogger)];
  const client = await createClient({ url }).connect();
  const nowUs = async (): Promise<number> => {
    const [seconds, fraction] = await client.sendCommand<[string, string]>(['TIME']);
    return Number(seconds) * 1_000_000 + Number(fraction);
  };
  await eventually(() => store.isAvailable() && other.isAvailable(), { deadlineMs: 20_000 });
  return {
    store,
    other,
    nowUs,
    pass: async (milliseconds) => {
      // Redis counts a time to live in whole milliseconds, and a key lives through the last of them.
      const until = (await nowUs()) + (milliseconds + 2) * 1_000;
      await eventually(async () => (await nowUs()) > until, {
        deadlineMs: milliseconds + 20_000,
        everyMs: 2,
      });
    },
    close: async () => {
      await Promise.all([store.close(), other.close(), client.close()]);
    },
  };
};
