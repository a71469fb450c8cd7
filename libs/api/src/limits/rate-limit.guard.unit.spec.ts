import { ManualClock } from '@gridbourse/kernel';
import { type KeyValue, MemoryKeyValue, unavailable } from '@gridbourse/key-value';
import { serviceMeter } from '@gridbourse/observability';
import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import type { ArgumentsHost, ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { catchError, firstValueFrom, of } from 'rxjs';
import { rememberCaller } from '../auth/caller.ts';
import { ProblemFilter } from '../errors/problem.filter.ts';
import { CountsAs } from './rate-class.decorator.ts';
import { RateLimitGuard } from './rate-limit.guard.ts';
import { RateLimited } from './rate-limited.ts';
import { rateLimitsConfig } from './rate-limits.config.ts';

// Real here: the guard, the limiter, the store in memory. Made up: the request.

class Routes {
  route(): void {}
  getThing(): void {}

  @CountsAs('signIn')
  login(): void {}

  @CountsAs('unlimited')
  health(): void {}
}

type Call = {
  route?: keyof Routes;
  method?: string;
  ip?: string;
  account?: string;
  carrier?: object;
};

const limits = { reads: { quota: 3 }, writes: { quota: 2 }, signIn: { quota: 1 } };

const under = (store: KeyValue = new MemoryKeyValue({ clock: new ManualClock(0) }), service = 'shop') => {
  const rateLimits = rateLimitsConfig.parse(limits);
  const guard = new RateLimitGuard(
    new Reflector(),
    store,
    { rateLimits },
    service,
    serviceMeter('guard-test'),
  );
  /** Headers of the answer where it was let through, the refusal otherwise. */
  return async ({ route = 'route', method = 'GET', ip = '192.0.2.1', account, carrier }: Call) => {
    const headers: Record<string, string> = {};
    const request = carrier ?? { method, ip, headers: {} };
    const context = {
      getType: () => (carrier ? 'rpc' : 'http'),
      getHandler: () => Routes.prototype[route],
      getClass: () => Routes,
      switchToHttp: () => ({
        getRequest: () => request,
        getResponse: () => ({ headers: (more: object) => Object.assign(headers, more) }),
      }),
      switchToRpc: () => ({ getContext: () => request }),
    } as unknown as ExecutionContext;
    if (account !== undefined) {
      rememberCaller(context, { accountId: account, wallet: '0x', scopes: [], via: 'api_key' });
    }
    try {
      await guard.canActivate(context);
      return { headers };
    } catch (error) {
      return { headers, error: error as RateLimited };
    }
  };
};

describe('the rate limit of a service', () => {
  it('tells the policy and what is left, and refuses what is too much', async () => {
    const call = under();
    expect((await call({})).headers).toEqual({
      'ratelimit-policy': '"reads";q=3;w=60',
      ratelimit: '"reads";r=2;t=20',
    });
    await call({});
    await call({});
    const { headers, error } = await call({});
    expect(headers['ratelimit']).toBe('"reads";r=0;t=60');
    expect(error).toMatchObject({ kind: 'exhausted', code: 'rate_limited', retryAfterMs: 20_000 });
  });

  it('counts reads and writes apart, and by caller: an account before an address', async () => {
    const call = under();
    const results = async (one: Call, times: number): Promise<boolean[]> => {
      const all: boolean[] = [];
      for (let n = 0; n < times; n += 1) all.push((await call(one)).error === undefined);
      return all;
    };
    expect(await results({ method: 'POST', account: 'acc_a' }, 3)).toEqual([true, true, false]);
    expect(await results({ method: 'GET', account: 'acc_a', ip: '192.0.2.9' }, 1)).toEqual([true]);
    expect(await results({ method: 'DELETE', account: 'acc_b' }, 1)).toEqual([true]);
    expect(await results({ method: 'POST' }, 3)).toEqual([true, true, false]);
    expect(await results({ method: 'POST', ip: '192.0.2.2' }, 1)).toEqual([true]);
    expect(await results({ method: 'POST', ip: '2001:db8::1' }, 2)).toEqual([true, true]);
    expect(await results({ method: 'POST', ip: '2001:db8::2' }, 1)).toEqual([false]);
  });

  it('knows routes of a class of their own, and routes without a limit', async () => {
    const call = under();
    expect((await call({ route: 'login', method: 'POST' })).headers['ratelimit-policy']).toBe(
      '"sign-in";q=1;w=60',
    );
    expect((await call({ route: 'login', method: 'POST' })).error).toBeInstanceOf(RateLimited);
    for (let n = 0; n < 10; n += 1) expect(await call({ route: 'health' })).toEqual({ headers: {} });
  });

  it('counts gRPC calls of accounts, and neither public ones nor events', async () => {
    const call = under();
    const rpc = (route: keyof Routes, account?: string, carrier: object = new Metadata()) =>
      call({ route, carrier, ...(account === undefined ? {} : { account }) });
    const refused = [];
    for (let n = 0; n < 4; n += 1) refused.push((await rpc('route', 'acc_a')).error !== undefined);
    expect(refused).toEqual([false, false, true, true]);
    expect((await rpc('getThing', 'acc_a')).error).toBeUndefined(); // a read
    for (let n = 0; n < 10; n += 1) expect((await rpc('route')).error).toBeUndefined();
    for (let n = 0; n < 10; n += 1)
      expect((await rpc('route', 'acc_a', { event: true })).error).toBeUndefined();
  });

  it('of one service is not that of another in the same store', async () => {
    const store = new MemoryKeyValue({ clock: new ManualClock(0) });
    const [shop, bank] = [under(store), under(store, 'bank')];
    await shop({ route: 'login' });
    expect((await shop({ route: 'login' })).error).toBeDefined();
    expect((await bank({ route: 'login' })).error).toBeUndefined();
  });

  it('lets everybody through while the store is away, and promises nothing', async () => {
    const away = new MemoryKeyValue();
    away.spend = () => Promise.reject(unavailable('gone'));
    const call = under(away);
    for (let n = 0; n < 10; n += 1) {
      expect(await call({})).toEqual({ headers: { 'ratelimit-policy': '"reads";q=3;w=60' } });
    }
  });
});

it('a refused gRPC call is told when to come back', async () => {
  const host = { getType: () => 'rpc' } as unknown as ArgumentsHost;
  const answer = new ProblemFilter('test').catch(new RateLimited('writes', 1_500), host)!;
  const status = await firstValueFrom(answer.pipe(catchError((error: unknown) => of(error))));
  const { code, metadata } = status as { code: number; metadata: Metadata };
  expect(code).toBe(8); // RESOURCE_EXHAUSTED
  expect(metadata.get('grpc-retry-pushback-ms')).toEqual(['1500']);
});
