import { afterAll, beforeAll } from '@jest/globals';
import { keyValueContract } from '../../test/key-value-contract.ts';
import { redisForTests, type RedisForTests } from '../../test/redis-for-tests.ts';
import { redisUnderTest } from '../../test/store-under-test.ts';

// Real here: Redis, the client, the wire, time.

let redis: RedisForTests;
beforeAll(async () => {
  redis = await redisForTests();
}, 120_000);
afterAll(() => redis.stop());

keyValueContract('Redis', () => redisUnderTest(redis.url));
