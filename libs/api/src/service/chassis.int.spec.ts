import { EventCatalogue } from '@gridbourse/events';
import { invalid } from '@gridbourse/kernel';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Module, Post } from '@nestjs/common';
import { z } from 'zod';
import { ServiceUnderTest } from '../../test/service-under-test.ts';
import { Public } from '../auth/public.decorator.ts';
import { AnswerNotKept } from '../http/idempotency.interceptor.ts';
import { money, moneyDto } from '../http/money.dto.ts';
import { Returns } from '../http/returns.decorator.ts';
import { baseConfig } from './base-config.ts';
import { defineService } from './definition.ts';
import { serviceCard } from './service-card.ts';

// Real here: Postgres, the bus, Fastify, the whole chassis. Only the service on it is made for the test.

const purchase = z.object({ item: z.string().min(1), count: z.int().min(1).max(10) });
let made = 0;

@Controller('v1/purchases')
class PurchaseController {
  @Post()
  @Returns(201, z.object({ serial: z.int(), price: money }))
  buy(@Body({ schema: purchase }) body: z.output<typeof purchase>) {
    if (body.item === 'nothing') {
      throw invalid('no_such_item', 'nothing is not sold', [
        { pointer: '/item', message: 'expected something', line: 3, column: 7 },
      ]);
    }
    if (body.item === 'bug') throw new Error('a secret of the inside');
    made += 1;
    return { serial: made, price: moneyDto(1_250_000n), hidden: 'not in the schema' };
  }

  @Post('secrets')
  @AnswerNotKept()
  @Returns(201, z.object({ secret: z.string() }))
  issue() {
    made += 1;
    return { secret: `planted-secret-${made}` };
  }

  @Get('open')
  @Public()
  @Returns(200, z.object({ open: z.boolean() }))
  open() {
    return { open: true };
  }
}

@Module({ controllers: [PurchaseController] })
class ShopModule {}

const shop = defineService({
  name: 'registry',
  configSchema: baseConfig,
  catalogue: new EventCatalogue([]),
  entities: [],
  migrations: [],
  module: () => ShopModule,
  publicPaths: ['/v1/purchases'],
});

const KEY = `gbk_${'k'.repeat(43)}`;

describe('a service on the chassis', () => {
  let service: ServiceUnderTest;
  let origin: string;

  beforeAll(async () => {
    service = await ServiceUnderTest.start(shop);
    ({ origin } = service);
    await service.admit(KEY, ['orders:write']);
  }, 60_000);
  afterAll(() => service.close());

  const buy = (body: unknown, idempotencyKey?: string, key = KEY): Promise<Response> =>
    fetch(`${origin}/v1/purchases`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${key}`,
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const problem = async (response: Response) => {
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    return (await response.json()) as Record<string, unknown>;
  };

  it('tells a gateway what it serves, and describes it', async () => {
    const card = await (await fetch(`${origin}/service.json`)).json();
    expect(card).toEqual({
      name: 'registry',
      publicPaths: ['/v1/purchases'],
      grpcPackages: [],
      grpcPort: null,
    });
    expect(serviceCard.parse(card)).toEqual(card);
    const document = (await (await fetch(`${origin}/openapi.json`)).json()) as { paths: object };
    expect(Object.keys(document.paths)).toContain('/v1/purchases');
  });

  it('is live, ready, and shows its metrics', async () => {
    expect((await fetch(`${origin}/health/live`)).status).toBe(200);
    expect(await (await fetch(`${origin}/health/ready`)).json()).toMatchObject({
      status: 'ready',
      checks: { database: 'ok' },
    });
    expect(await (await fetch(`${origin}/metrics`)).text()).toContain('# ');
  });

  it('answers with what the schema names, and nothing else', async () => {
    const response = await buy({ item: 'a', count: 1 });
    expect(response.status).toBe(201);
    expect(Object.keys((await response.json()) as object).sort()).toEqual(['price', 'serial']);
    expect(response.headers.get('x-request-id')).toMatch(/^req_/);
  });

  it('refuses strangers, and lets everyone into what is public', async () => {
    const refused = await fetch(`${origin}/v1/purchases`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('Bearer');
    expect(await problem(refused)).toMatchObject({ code: 'missing_credentials' });
    expect((await buy({ item: 'a', count: 1 }, undefined, `gbk_${'z'.repeat(43)}`)).status).toBe(401);
    expect((await fetch(`${origin}/v1/purchases/open`)).status).toBe(200);
  });

  it('tells where a request is wrong', async () => {
    const response = await buy({ item: '', count: 99 });
    expect(response.status).toBe(422);
    const body = await problem(response);
    expect(body).toMatchObject({ status: 422, code: 'invalid_request', instance: '/v1/purchases' });
    expect((body['errors'] as { pointer: string }[]).map((e) => e.pointer)).toEqual(['/item', '/count']);
  });

  it('passes on the place of a fault that the domain found', async () => {
    expect(await problem(await buy({ item: 'nothing', count: 1 }))).toMatchObject({
      code: 'no_such_item',
      errors: [{ pointer: '/item', line: 3, column: 7 }],
    });
  });

  it.each([
    ['{ not json', 400],
    [`"${'x'.repeat(1_100_000)}"`, 413],
  ])('answers an unreadable or oversized body with a problem', async (body, status) => {
    const response = await buy(body);
    expect(response.status).toBe(status);
    await problem(response);
  });

  it('says nothing of its inside when it fails', async () => {
    const response = await buy({ item: 'bug', count: 1 });
    expect(response.status).toBe(500);
    expect(JSON.stringify(await problem(response))).not.toContain('secret');
  });

  it('answers an unknown route with a problem', async () => {
    const response = await fetch(`${origin}/v1/nowhere`);
    expect(response.status).toBe(404);
    expect(await problem(response)).toMatchObject({ code: 'no_such_route' });
  });

  it('does a request with an idempotency key once', async () => {
    const first = await buy({ item: 'once', count: 1 }, 'key-1');
    const second = await buy({ item: 'once', count: 1 }, 'key-1');
    expect(second.status).toBe(201);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(await second.json()).toEqual(await first.json());
    const other = await buy({ item: 'other', count: 1 }, 'key-1');
    expect(other.status).toBe(422);
    expect(await problem(other)).toMatchObject({ code: 'idempotency_key_reused' });
    expect((await buy({ item: 'nothing', count: 1 }, 'key-2')).status).toBe(422);
    expect((await buy({ item: 'again', count: 1 }, 'key-2')).status).toBe(201);
    expect((await buy({ item: 'a', count: 1 }, ' ')).status).toBe(422);
  });

  it('stores no answer that holds a secret, and so replays none', async () => {
    const issue = () =>
      fetch(`${origin}/v1/purchases/secrets`, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}`, 'idempotency-key': 'secret-1' },
      });
    const [first, second] = [await issue(), await issue()];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(await first.json()).not.toEqual(await second.json());
    const kept = await service.dataSource.query<unknown[]>('SELECT * FROM idempotency_keys');
    expect(JSON.stringify(kept)).not.toContain('planted-secret');
    expect(kept.length).toBeGreaterThan(0);
  });

  it('describes itself in OpenAPI 3.1', () => {
    const document = service.running.openApi();
    expect(document.openapi).toBe('3.1.0');
    expect(document.paths).toHaveProperty('/v1/purchases');
    expect(document.components?.schemas).toHaveProperty('Money');
  });
});
