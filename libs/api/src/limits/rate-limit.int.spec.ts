import { EventCatalogue } from '@gridbourse/events';
import { ManualClock } from '@gridbourse/kernel';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module, Post } from '@nestjs/common';
import { z } from 'zod';
import { ServiceUnderTest } from '../../test/service-under-test.ts';
import { Public } from '../auth/public.decorator.ts';
import { Returns } from '../http/returns.decorator.ts';
import { baseConfig } from '../service/base-config.ts';
import { defineService } from '../service/definition.ts';

// Real here: Postgres, the bus, Fastify, the whole chassis, its own store in memory. Made up: the clock.

const done = z.object({ done: z.boolean() });

@Public()
@Controller('v1/things')
class ThingsController {
  @Get()
  @Returns(200, done)
  read() {
    return { done: true };
  }

  @Post()
  @Returns(200, done)
  write() {
    return { done: true };
  }
}

@Module({ controllers: [ThingsController] })
class ThingsModule {}

const things = defineService({
  name: 'registry',
  configSchema: baseConfig,
  catalogue: new EventCatalogue([]),
  entities: [],
  migrations: [],
  module: () => ThingsModule,
  publicPaths: ['/v1/things'],
});

describe('a service with rate limits', () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  let service: ServiceUnderTest;

  beforeAll(async () => {
    service = await ServiceUnderTest.start(things, {
      config: {
        rateLimits: { reads: { quota: 6 }, writes: { quota: 2, windowSeconds: 120 } },
        trustedProxies: ['127.0.0.1'],
      },
      clock,
    });
  }, 60_000);
  afterAll(() => service.close());

  const ask = (method: string, path = '/v1/things', from = '192.0.2.1'): Promise<Response> =>
    fetch(`${service.origin}${path}`, { method, headers: { 'x-forwarded-for': from } });

  it('answers 429 with a problem and the time to wait, and serves again after it', async () => {
    expect((await ask('POST')).status).toBe(200);
    const last = await ask('POST');
    expect(last.headers.get('ratelimit-policy')).toBe('"writes";q=2;w=120');
    expect(last.headers.get('ratelimit')).toBe('"writes";r=0;t=120');
    const refused = await ask('POST');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(refused.headers.get('retry-after')).toBe('60');
    expect(refused.headers.get('ratelimit')).toBe('"writes";r=0;t=120');
    expect(await refused.json()).toMatchObject({ status: 429, code: 'rate_limited', instance: '/v1/things' });
    expect((await ask('POST', '/v1/things', '192.0.2.2')).status).toBe(200);
    clock.advance(60_000);
    expect((await ask('POST')).status).toBe(200);
  });

  it('lets exactly the quota through, however many come at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => ask('GET', '/v1/things', '192.0.2.3')),
    );
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(6);
    expect(answers.filter((answer) => answer.status === 429)).toHaveLength(24);
  });

  it('always says how it is, and counts what it refuses', async () => {
    for (let n = 0; n < 20; n += 1) expect((await ask('GET', '/health/live')).status).toBe(200);
    const answer = await ask('GET', '/metrics');
    expect(answer.headers.get('ratelimit-policy')).toBeNull();
    const text = await answer.text();
    expect(text).toMatch(
      /gridbourse_rate_limit_decisions_total\{[^}]*policy="reads"[^}]*result="refused"[^}]*\} 24/,
    );
    expect(text).toMatch(/gridbourse_key_value_available(\{[^}]*\})? 1/);
  });
});
