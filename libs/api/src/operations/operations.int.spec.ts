import { type BusRecord, EmbeddedBus } from '@gridbourse/event-bus';
import { accountOpened, apiKeyIssued, EventCatalogue } from '@gridbourse/events';
import { newId, systemClock, systemRandom } from '@gridbourse/kernel';
import { silentLogger } from '@gridbourse/observability';
import { eventually, freePort, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Scope } from '../auth/scopes.ts';
import { baseConfig } from '../service/base-config.ts';
import { defineService } from '../service/definition.ts';
import { type RunningService, startService } from '../service/start.ts';

// Real here: Postgres, the embedded bus, Fastify, the chassis. Its replica of accounts is what fails to handle an event.

const TOPIC = 'gridbourse.registry.account';

@Module({})
class EmptyModule {}

const service = defineService({
  name: 'billing',
  configSchema: baseConfig,
  catalogue: new EventCatalogue([]),
  entities: [],
  migrations: [],
  module: () => EmptyModule,
  publicPaths: [],
});

const listed = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      key: z.string(),
      state: z.string(),
      error: z.string().nullable(),
      errorCode: z.string().nullable(),
    }),
  ),
  nextCursor: z.string().nullable(),
});

describe('operating the bus of a service', () => {
  let database: TestDatabase;
  let busDatabase: TestDatabase;
  let bus: EmbeddedBus;
  let running: RunningService;
  let origin: string;

  const record = (key: string, sequence: number, type: string, value: unknown): BusRecord => ({
    topic: TOPIC,
    key,
    value,
    headers: {
      ce_specversion: '1.0',
      ce_id: `${key}/${sequence}`,
      ce_type: `gridbourse.registry.${type}.v1`,
      ce_source: '/gridbourse/registry',
      ce_time: '2026-01-01T00:00:00.000Z',
      ce_subject: key,
      ce_dataschema: `https://gridbourse.dev/schemas/registry.${type}.v1.json`,
      sequence: String(sequence),
    },
  });
  const accountId = () => newId('account', systemClock.now(), systemRandom);
  const catalogue = new EventCatalogue([accountOpened, apiKeyIssued]);
  const accountWith = async (key: string, scopes: Scope[]): Promise<void> => {
    const id = accountId();
    const wallet = `0x${createHash('sha256').update(key).digest('hex').slice(0, 40)}`;
    const keyHash = createHash('sha256').update(key).digest('hex');
    const apiKeyId = newId('apiKey', systemClock.now(), systemRandom);
    const opened = { type: 'AccountOpened', accountId: id, wallet, name: 'A', openedAtMs: 1 } as const;
    const issued = {
      type: 'ApiKeyIssued',
      ...{ accountId: id, apiKeyId, keyHash, scopes, expiresAtMs: null, issuedAtMs: 1 },
    } as const;
    await bus.publish([
      record(id, 1, 'AccountOpened', catalogue.encode(opened).data),
      record(id, 2, 'ApiKeyIssued', catalogue.encode(issued).data),
    ]);
  };
  const OPERATOR_KEY = `gbk_${'o'.repeat(43)}`;
  const TENANT_KEY = `gbk_${'t'.repeat(43)}`;
  const call = (path: string, body?: object, key = OPERATOR_KEY): Promise<Response> =>
    fetch(`${origin}${path}`, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const list = async (query = ''): Promise<z.output<typeof listed>> =>
    listed.parse(await (await call(`/ops/dead-letters${query}`)).json());
  /** An event that no version of the replica can read, and one behind it. */
  const poison = async (): Promise<string> => {
    const key = accountId();
    await bus.publish([
      record(key, 1, 'NobodyKnowsThis', {}),
      record(
        key,
        2,
        'AccountOpened',
        catalogue.encode({
          type: 'AccountOpened',
          ...{ accountId: key, wallet: `0x${'b'.repeat(40)}`, name: 'B', openedAtMs: 1 },
        }).data,
      ),
    ]);
    await eventually(async () => expect((await list(`?key=${key}`)).items).toHaveLength(2), {
      deadlineMs: 20_000,
    });
    return key;
  };

  beforeAll(async () => {
    [database, busDatabase] = await Promise.all([testDatabase('ops'), testDatabase('ops_bus')]);
    bus = new EmbeddedBus({ databaseUrl: busDatabase.url, logger: silentLogger });
    await bus.start();
    const httpPort = await freePort();
    origin = `http://127.0.0.1:${httpPort}`;
    running = await startService(
      service,
      {
        databaseUrl: database.url,
        bus: { adapter: 'embedded', url: busDatabase.url },
        httpPort,
        jwksUrl: `${origin}/.well-known/jwks.json`,
        publicOrigin: origin,
      },
      { bus },
    );
    await accountWith(OPERATOR_KEY, ['operator']);
    await accountWith(TENANT_KEY, ['orders:write']);
    for (const key of [OPERATOR_KEY, TENANT_KEY]) {
      await eventually(async () => expect((await call('/ops/bus', undefined, key)).status).not.toBe(401), {
        deadlineMs: 20_000,
      });
    }
  }, 60_000);
  afterAll(async () => {
    await running.close();
    await bus.close();
    await Promise.all([database.drop(), busDatabase.drop()]);
  });

  it('is for operators only', async () => {
    for (const path of ['/ops/dead-letters', '/ops/dead-letters/1', '/ops/bus']) {
      expect((await call(path, undefined, TENANT_KEY)).status).toBe(403);
      expect((await fetch(`${origin}${path}`)).status).toBe(401);
    }
    expect((await call('/ops/dead-letters/1/skip', { reason: 'x' }, TENANT_KEY)).status).toBe(403);
    expect((await call('/ops/dead-letters/replay', { topic: TOPIC, key: 'x' }, TENANT_KEY)).status).toBe(403);
  });

  it('shows what could not be handled, page by page, with its record', async () => {
    const key = await poison();
    const { items } = await list(`?key=${key}`);
    expect(items.map(({ state }) => state)).toEqual(['failed', 'waiting']);
    expect(items[0]!.error).toContain('NobodyKnowsThis');
    expect(items.map(({ errorCode }) => errorCode)).toEqual(['unknown_event', null]);
    const first = await list(`?key=${key}&limit=1`);
    const second = await list(`?key=${key}&limit=1&cursor=${first.nextCursor}`);
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(items.map(({ id }) => id));
    expect(second.nextCursor).toBeNull();
    const detail = (await (await call(`/ops/dead-letters/${items[1]!.id}`)).json()) as Record<
      string,
      unknown
    >;
    expect(detail).toMatchObject({
      key,
      topic: TOPIC,
      deadLetterTopic: `${TOPIC}.dlq`,
      value: { accountId: key },
      headers: { sequence: '2' },
    });
  });

  it('skips one for a reason, and goes on behind it', async () => {
    const key = await poison();
    const [failed] = (await list(`?key=${key}`)).items;
    expect((await call(`/ops/dead-letters/${failed!.id}/skip`, { reason: ' ' })).status).toBe(422);
    expect((await call(`/ops/dead-letters/${failed!.id}/skip`, { reason: 'nobody needs it' })).status).toBe(
      202,
    );
    await eventually(async () => expect((await list(`?key=${key}`)).items).toEqual([]), {
      deadlineMs: 20_000,
    });
    const settled = await list(`?key=${key}&settled=true`);
    expect(settled.items.map(({ state }) => state)).toEqual(['skipped', 'replayed']);
  });

  it('takes a key up again when asked, and keeps what fails again', async () => {
    const key = await poison();
    const before = (await list(`?key=${key}`)).items;
    expect((await call('/ops/dead-letters/replay', { topic: TOPIC, key })).status).toBe(202);
    await eventually(
      async () => {
        const [failed] = (await list(`?key=${key}`)).items;
        const { attempts } = (await (await call(`/ops/dead-letters/${failed!.id}`)).json()) as {
          attempts: number;
        };
        expect(attempts).toBeGreaterThan(1);
      },
      { deadlineMs: 20_000 },
    );
    expect((await list(`?key=${key}`)).items.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
  });

  it('says what is wrong with a question', async () => {
    expect((await call('/ops/dead-letters/999999999')).status).toBe(404);
    expect((await call('/ops/dead-letters/none')).status).toBe(422);
    expect((await call('/ops/dead-letters/replay', { topic: TOPIC, key: 'none' })).status).toBe(404);
    expect((await call('/ops/dead-letters?limit=0')).status).toBe(422);
  });

  it('says how far the service is behind, partition by partition', async () => {
    const lag = z.object({
      lag: z.int(),
      partitions: z.array(z.object({ topic: z.string(), committed: z.int(), end: z.int(), lag: z.int() })),
    });
    await eventually(
      async () => {
        const { lag: behind, partitions } = lag.parse(await (await call('/ops/bus')).json());
        expect(behind).toBe(0);
        expect(partitions.map(({ topic }) => topic)).toEqual(Array.from({ length: 8 }, () => TOPIC));
        expect(partitions.reduce((sum, { end }) => sum + end, 0)).toBeGreaterThanOrEqual(4);
      },
      { deadlineMs: 20_000 },
    );
  });
});
