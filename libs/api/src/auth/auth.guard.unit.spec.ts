import { DomainError, ManualClock } from '@gridbourse/kernel';
import { Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AccountDirectory, KnownApiKey } from './account-directory.ts';
import { AuthGuard } from './auth.guard.ts';
import { callerOf } from './caller.ts';
import { Public } from './public.decorator.ts';
import { RequireScopes } from './require-scopes.decorator.ts';
import { hashApiKey } from './token-format.ts';

// Real here: the guard, the token check, the key set over HTTP. Made up: the request and the account directory.

const WALLET = '0x00000000000000000000000000000000000000aa';
const START = Date.UTC(2026, 0, 1);
const API_KEY = `gbk_${'a'.repeat(43)}`;

class Routes {
  @Public()
  open(): void {}

  closed(): void {}

  @RequireScopes('orders:write')
  writing(): void {}
}

let server: Server;
let guard: AuthGuard;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
const clock = new ManualClock(START);
const stored = new Map<string, KnownApiKey>();

const contextOf = (route: keyof Routes, carrier: object, type: 'http' | 'rpc' = 'http'): ExecutionContext =>
  ({
    getType: () => type,
    getHandler: () => Routes.prototype[route],
    getClass: () => Routes,
    switchToHttp: () => ({ getRequest: () => carrier }),
    switchToRpc: () => ({ getContext: () => carrier }),
  }) as unknown as ExecutionContext;

const withHeader = (route: keyof Routes, authorization?: string): ExecutionContext =>
  contextOf(route, { headers: { authorization } });

const token = (
  claims: object = {},
  options: { iat?: number; exp?: number; audience?: string; alg?: string } = {},
) => {
  const iat = options.iat ?? START / 1_000;
  return new SignJWT({ wallet: WALLET, scopes: ['orders:read'], ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
    .setSubject('acc_1')
    .setIssuer('gridbourse')
    .setAudience(options.audience ?? 'gridbourse-api')
    .setIssuedAt(iat)
    .setExpirationTime(options.exp ?? iat + 600)
    .sign(keys.privateKey);
};

const codeOf = async (context: ExecutionContext): Promise<string> => {
  try {
    await guard.canActivate(context);
    return 'passed';
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
};

beforeAll(async () => {
  keys = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  server = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const directory = { keyByHash: (hash: string) => Promise.resolve(stored.get(hash) ?? null) };
  guard = new AuthGuard(new Reflector(), directory as unknown as AccountDirectory, clock, {
    jwksUrl: `http://127.0.0.1:${port}/.well-known/jwks.json`,
  });
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe('access tokens', () => {
  it('lets a valid token pass and tells who calls', async () => {
    const context = withHeader('closed', `Bearer ${await token()}`);
    expect(await codeOf(context)).toBe('passed');
    expect(callerOf(context)).toEqual({
      accountId: 'acc_1',
      wallet: WALLET,
      scopes: ['orders:read'],
      via: 'token',
    });
  });

  it('reads the metadata of a gRPC call in the same way', async () => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${await token()}`);
    const context = contextOf('closed', metadata, 'rpc');
    expect(await codeOf(context)).toBe('passed');
    expect(callerOf(context)?.accountId).toBe('acc_1');
    expect(await codeOf(contextOf('closed', new Metadata(), 'rpc'))).toBe('missing_credentials');
  });

  it('lets the events of the bus through, which have no caller', async () => {
    expect(await codeOf(contextOf('closed', { headers: {} }, 'rpc'))).toBe('passed');
  });

  it.each([
    ['no header', undefined, 'missing_credentials'],
    ['another scheme', 'Basic dTpw', 'invalid_token'],
    ['no token', 'Bearer ', 'invalid_token'],
    ['rubbish', 'Bearer rubbish', 'invalid_token'],
    ['a token without signature', `Bearer ${btoa('{"alg":"none"}')}.${btoa('{}')}.`, 'invalid_token'],
    ['an endless token', `Bearer ${'x'.repeat(5_000)}`, 'invalid_token'],
  ])('refuses %s', async (_, header, code) => {
    expect(await codeOf(withHeader('closed', header))).toBe(code);
  });

  it('refuses a token for somebody else, of another key, expired, or made to live too long', async () => {
    expect(await codeOf(withHeader('closed', `Bearer ${await token({}, { audience: 'other' })}`))).toBe(
      'invalid_token',
    );
    const forged = await new SignJWT({ wallet: WALLET, scopes: [] })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setSubject('acc_1')
      .setIssuer('gridbourse')
      .setAudience('gridbourse-api')
      .setIssuedAt(START / 1_000)
      .setExpirationTime(START / 1_000 + 600)
      .sign((await generateKeyPair('ES256')).privateKey);
    expect(await codeOf(withHeader('closed', `Bearer ${forged}`))).toBe('invalid_token');
    const past = START / 1_000 - 1_000;
    expect(await codeOf(withHeader('closed', `Bearer ${await token({}, { iat: past })}`))).toBe(
      'expired_token',
    );
    const endless = await token({}, { iat: past, exp: past + 1_000_000 });
    expect(await codeOf(withHeader('closed', `Bearer ${endless}`))).toBe('expired_token');
  });

  it('asks for the scopes of the route', async () => {
    expect(await codeOf(withHeader('writing', `Bearer ${await token()}`))).toBe('missing_scope');
    const able = await token({ scopes: ['orders:write'] });
    expect(await codeOf(withHeader('writing', `Bearer ${able}`))).toBe('passed');
  });

  it('says that it cannot tell when the keys are away', async () => {
    const blind = new AuthGuard(new Reflector(), {} as AccountDirectory, clock, {
      jwksUrl: 'http://127.0.0.1:1/jwks',
    });
    await expect(blind.canActivate(withHeader('closed', `Bearer ${await token()}`))).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'keys_unavailable',
    });
  });
});

describe('API keys', () => {
  const key = (fields: Partial<KnownApiKey> = {}): KnownApiKey => ({
    apiKeyId: 'key_1',
    accountId: 'acc_2',
    wallet: WALLET,
    scopes: ['orders:write'],
    expiresAtMs: null,
    revokedAtMs: null,
    ...fields,
  });

  it.each([
    ['known', key(), 'passed'],
    ['unknown', undefined, 'invalid_token'],
    ['revoked', key({ revokedAtMs: START }), 'revoked_key'],
    ['expired', key({ expiresAtMs: START }), 'expired_token'],
    ['without the scope', key({ scopes: ['orders:read'] }), 'missing_scope'],
  ])('%s', async (_, row, code) => {
    stored.clear();
    if (row) stored.set(hashApiKey(API_KEY), row);
    expect(await codeOf(withHeader('writing', `Bearer ${API_KEY}`))).toBe(code);
  });

  it('does not look up what cannot be a key', async () => {
    expect(await codeOf(withHeader('writing', 'Bearer gbk_short'))).toBe('invalid_token');
  });
});

it('asks nothing of callers of a public route', async () => {
  expect(await codeOf(withHeader('open'))).toBe('passed');
});
