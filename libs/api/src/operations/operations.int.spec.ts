import { EventCatalogue } from '@gridbourse/events';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { z } from 'zod';
import { openedAccount, newAccountId, ServiceUnderTest } from '../../test/service-under-test.ts';
import { baseConfig } from '../service/base-config.ts';
import { defineService } from '../service/definition.ts';

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
  let running: ServiceUnderTest;

  const OPERATOR_KEY = `gbk_${'o'.repeat(43)}`;
  const TENANT_KEY = `gbk_${'t'.repeat(43)}`;
  const call = (path: string, body?: object, key = OPERATOR_KEY): Promise<Response> =>
    running.call(body ? 'POST' : 'GET', path, key, { body });
  const list = async (query = ''): Promise<z.output<typeof listed>> =>
    listed.parse(await (await call(`/ops/dead-letters${query}`)).json());
  /** An event that no version of the replica can read, and one behind it. */
  const poison = async (): Promise<string> => {
    const key = newAccountId();
    await running.bus.publish([
      running.record(key, openedAccount(key), 'NobodyKnowsThis'),
      running.record(key, openedAccount(key)),
    ]);
    await eventually(async () => expect((await list(`?key=${key}`)).items).toHaveLength(2), {
      deadlineMs: 20_000,
    });
    return key;
  };

  beforeAll(async () => {
    running = await ServiceUnderTest.start(service);
    await running.admit(OPERATOR_KEY, ['operator']);
    await running.admit(TENANT_KEY, ['orders:write']);
  }, 60_000);
  afterAll(() => running.close());

  it('is for operators only', async () => {
    for (const path of ['/ops/dead-letters', '/ops/dead-letters/1', '/ops/bus']) {
      expect((await call(path, undefined, TENANT_KEY)).status).toBe(403);
      expect((await fetch(`${running.origin}${path}`)).status).toBe(401);
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
