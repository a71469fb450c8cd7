import { type Clock, systemClock } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import type { KeyValueConfig } from './config.ts';
import { MemoryKeyValue } from './memory/memory-key-value.ts';
import type { KeyValue } from './port.ts';

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/**
 * The store that the configuration names. A Redis that is away holds up nobody for longer than its connect timeout: calls
 * then fail until it is there.
 */
export const openKeyValue = async (
  config: KeyValueConfig,
  { logger, clock = systemClock }: { logger: Logger; clock?: Clock },
): Promise<KeyValue> => {
  if (config.adapter === 'memory') return new MemoryKeyValue({ clock, maxEntries: config.maxEntries });
  // The client of Redis is six hundred modules, which a platform in one process never needs.
  const { RedisKeyValue } = await import('./redis/redis-key-value.ts');
  const store = new RedisKeyValue(config, logger);
  const until = performance.now() + config.connectTimeoutMs;
  while (!store.isAvailable() && performance.now() < until) await pause(10);
  return store;
};
