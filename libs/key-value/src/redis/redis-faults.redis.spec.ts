import { RedisServer } from '@gridbourse/infra';
import { silentLogger } from '@gridbourse/observability';
import { eventually } from '@gridbourse/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient } from 'redis';
import { FaultyWire } from '../../test/faulty-wire.ts';
import { redisForTests, type RedisForTests } from '../../test/redis-for-tests.ts';
import { redisConfigOf } from '../../test/store-under-test.ts';
import { RedisKeyValue } from './redis-key-value.ts';

// Real here: Redis, the client, TCP. The wire between them is cut, held up and given back.

const MINUTE_MS = 60_000;
const AWAY = { kind: 'unavailable', code: 'key_value_unavailable' };
/** A machine that is busy for a while is no fault of ours. */
const soon = { deadlineMs: 20_000 };

let redis: RedisForTests;
const opened: RedisKeyValue[] = [];
const open = (url: string, changes: Record<string, unknown> = {}): RedisKeyValue => {
  const store = new RedisKeyValue(redisConfigOf(url, { maxReconnectPauseMs: 50, ...changes }), silentLogger);
  opened.push(store);
  return store;
};
const ready = async (store: RedisKeyValue): Promise<RedisKeyValue> => {
  await eventually(() => store.isAvailable(), soon);
  return store;
};

beforeAll(async () => {
  redis = await redisForTests();
}, 120_000);
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
});
afterAll(() => redis.stop());

describe('on a bad wire', () => {
  let wire: FaultyWire;
  beforeAll(async () => {
    wire = await FaultyWire.before(redis.url);
  });
  afterAll(() => wire.close());

  it('a call whose answer is lost fails, and is not sent again', async () => {
    const store = await ready(open(wire.urlFor(redis.url)));
    await store.putOnce('k', 'v', MINUTE_MS);
    wire.cutAtNextAnswer();
    await expect(store.take('k')).rejects.toMatchObject(AWAY);
    await ready(store);
    // It was done, once: nobody gets the value a second time.
    expect(await store.take('k')).toBeNull();
    const policy = { quota: 10, windowMs: 3_600_000 };
    await store.spend('k', policy, 1);
    wire.cutAtNextAnswer();
    await expect(store.spend('k', policy, 4)).rejects.toMatchObject(AWAY);
    await ready(store);
    expect(await store.spend('k', policy, 1)).toMatchObject({ remaining: 4 });
  });

  it('calls fail at once while there is no server, and pass again when there is', async () => {
    const store = await ready(open(wire.urlFor(redis.url)));
    wire.goAway();
    await eventually(() => !store.isAvailable(), soon);
    const since = performance.now();
    const calls = Array.from({ length: 100 }, () => store.take('k'));
    const settled = await Promise.allSettled(calls);
    expect(settled.every((result) => result.status === 'rejected')).toBe(true);
    await expect(store.acquire('k', MINUTE_MS)).rejects.toMatchObject(AWAY);
    expect(performance.now() - since).toBeLessThan(5_000); // not one call's time: nobody waited
    wire.comeBack();
    await ready(store);
    expect(await store.take('k')).toBeNull();
  });

  it('a server that is not there at first is used as soon as it is', async () => {
    wire.goAway();
    const store = open(wire.urlFor(redis.url));
    await expect(store.take('k')).rejects.toMatchObject(AWAY);
    expect(store.isAvailable()).toBe(false);
    wire.comeBack();
    await ready(store);
    expect(await store.take('k')).toBeNull();
  });

  it('a server that hangs costs a call its time, and then nobody any time', async () => {
    const store = await ready(open(wire.urlFor(redis.url), { callTimeoutMs: 200, connectTimeoutMs: 500 }));
    await store.putOnce('k', 'v', MINUTE_MS);
    wire.hold();
    const since = performance.now();
    await expect(store.getLatest(['k'])).rejects.toMatchObject(AWAY);
    expect(performance.now() - since).toBeGreaterThanOrEqual(195);
    await eventually(async () => {
      await expect(store.getLatest(['k'])).rejects.toMatchObject(AWAY);
      return !store.isAvailable();
    }, soon);
    const at = performance.now();
    await expect(store.getLatest(['k'])).rejects.toMatchObject(AWAY);
    expect(performance.now() - at).toBeLessThan(195);
    wire.goOn();
    await ready(store);
    expect(await store.take('k')).toBe('v');
  });

  it('an idle connection over which nothing comes back is given up', async () => {
    const store = await ready(open(wire.urlFor(redis.url), { connectTimeoutMs: 300 }));
    const before = wire.connections;
    wire.hold();
    await eventually(() => wire.connections > before, soon);
    wire.goOn();
    await ready(store);
  });

  it('an idle connection that is well stays', async () => {
    const store = await ready(open(wire.urlFor(redis.url), { connectTimeoutMs: 2_000 }));
    const before = wire.connections;
    const since = performance.now();
    await eventually(() => performance.now() - since > 5_000, { deadlineMs: 10_000, everyMs: 100 });
    expect(wire.connections).toBe(before);
    expect(await store.take('k')).toBeNull();
  }, 15_000);

  it('no more calls wait than are allowed', async () => {
    const store = await ready(open(wire.urlFor(redis.url), { callTimeoutMs: 1_000, maxPendingCalls: 5 }));
    wire.hold();
    const calls = await Promise.allSettled(Array.from({ length: 8 }, () => store.take('k')));
    wire.goOn();
    const reasons = calls.map((call) => String((call as PromiseRejectedResult).reason));
    expect(reasons.filter((reason) => reason.includes('wait for an answer already'))).toHaveLength(3);
  });
});

describe('a server', () => {
  it('that forgets its scripts is told them again', async () => {
    const store = await ready(open(redis.url));
    const policy = { quota: 2, windowMs: 3_600_000 };
    await store.spend('k', policy, 1);
    const client = await createClient({ url: redis.url }).connect();
    await client.scriptFlush();
    expect(await store.spend('k', policy, 1)).toMatchObject({ allowed: true, remaining: 0 });
    await client.scriptFlush();
    const acquired = await Promise.all(Array.from({ length: 10 }, () => store.acquire('k', MINUTE_MS)));
    expect(acquired.filter((token) => token !== null)).toHaveLength(1);
    await client.close();
  });

  it('that refuses our password is an unavailable one', async () => {
    const url = new URL(redis.url);
    url.password = 'wrong';
    url.username = 'nobody';
    const store = open(url.href);
    await expect(store.take('k')).rejects.toMatchObject(AWAY);
  });
});

const native = RedisServer.isInstalled() ? describe : describe.skip;
native('a redis-server of this machine', () => {
  it('that is killed and started again is found again; what it kept is there, or forgotten, by its configuration', async () => {
    for (const persistent of [true, false]) {
      const server = await RedisServer.start({ persistent });
      const store = await ready(open(server.url));
      const first = (await store.acquire('l', 1))!;
      await store.putOnce('k', 'v', MINUTE_MS);
      // What a persistent server writes once a second is on disk with an orderly end.
      server.signal(persistent ? 'SIGTERM' : 'SIGKILL');
      await eventually(() => !server.alive, soon);
      await expect(store.take('k')).rejects.toMatchObject(AWAY);
      expect(await server.ensureRunning()).toBe(true);
      await ready(store);
      expect(await store.take('k')).toBe(persistent ? 'v' : null);
      // Without its data too: the token is at least the server's time.
      expect(await store.acquire('l', MINUTE_MS)).toBeGreaterThan(first);
      await server.stop();
    }
  }, 60_000);

  it('that is stopped in mid work answers nobody late, and serves on when it goes on', async () => {
    const server = await RedisServer.start();
    const store = await ready(open(server.url, { callTimeoutMs: 200, connectTimeoutMs: 500 }));
    await store.putOnce('k', 'v', MINUTE_MS);
    server.signal('SIGSTOP');
    try {
      await eventually(async () => {
        await expect(store.getLatest(['k'])).rejects.toMatchObject(AWAY);
        return !store.isAvailable();
      }, soon);
    } finally {
      server.signal('SIGCONT');
    }
    await ready(store);
    expect(await store.take('k')).toBe('v');
    await server.stop();
  }, 60_000);

  it('that is full says so, and goes on with what it has', async () => {
    const server = await RedisServer.start();
    const store = await ready(open(server.url));
    const client = await createClient({ url: server.url }).connect();
    await store.putOnce('k', 'v', MINUTE_MS);
    await client.configSet('maxmemory', '1');
    const isFull = { kind: 'exhausted', code: 'key_value_full' };
    await expect(store.putOnce('l', 'v', MINUTE_MS)).rejects.toMatchObject(isFull);
    await expect(store.spend('l', { quota: 1, windowMs: 1_000 }, 1)).rejects.toMatchObject(isFull);
    await expect(store.acquire('l', MINUTE_MS)).rejects.toMatchObject(isFull);
    await client.configSet('maxmemory', '0');
    expect(await store.take('k')).toBe('v');
    await client.close();
    await server.stop();
  }, 60_000);
});
