import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { AbiCoder, Wallet } from 'ethers';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RegistryUnderTest } from '../../../test/registry-under-test.ts';

// Real here: the service, Postgres, the bus, HTTP. Made up: the clock, and the node that speaks for contract wallets.

const CONTRACT = `0x${'c'.repeat(40)}`;
let registry: RegistryUnderTest;
let rpc: Server;

/** Answers as a chain on which one contract wallet accepts the signature 0x600d. */
const answerRpc = (method: string, parameters: (string | { data?: string })[]): string => {
  if (method === 'eth_chainId') return '0x7a69';
  if (method === 'eth_getCode') return parameters[0] === CONTRACT ? '0x60' : '0x';
  const [call] = parameters;
  const accepts = typeof call === 'object' && call.data?.includes('600d') === true;
  return AbiCoder.defaultAbiCoder().encode(['bytes4'], [accepts ? '0x1626ba7e' : '0xffffffff']);
};

beforeAll(async () => {
  rpc = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const parsed = JSON.parse(text) as
        { id: number; method: string; params: [] } | { id: number; method: string; params: [] }[];
      const answers = [parsed]
        .flat()
        .map(({ id, method, params }) => ({ jsonrpc: '2.0', id, result: answerRpc(method, params) }));
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(Array.isArray(parsed) ? answers : answers[0]));
    });
  });
  await new Promise<void>((resolve) => rpc.listen(0, '127.0.0.1', resolve));
  registry = await RegistryUnderTest.start({
    rpcUrl: `http://127.0.0.1:${(rpc.address() as AddressInfo).port}`,
    operatorWallets: [],
  });
});

afterAll(async () => {
  await registry.close();
  rpc.closeAllConnections();
  rpc.close();
});

describe('signing in with a wallet', () => {
  it('opens an account at the first time and gives a token that works', async () => {
    const wallet = Wallet.createRandom();
    const first = await registry.signIn(wallet);
    const me = await registry.call('GET', '/v1/accounts/me', { token: first.token });
    expect(me).toMatchObject({
      status: 200,
      body: { accountId: first.accountId, wallet: wallet.address.toLowerCase() },
    });
    expect(me.body['scopes']).toContain('orders:write');
    expect(me.body['scopes']).not.toContain('operator');
    const second = await registry.signIn(wallet);
    expect(second.accountId).toBe(first.accountId);
    await eventually(() => expect(registry.typesOf(first.accountId)).toEqual(['AccountOpened']));
  });

  it('opens one account for two first sign-ins at once', async () => {
    const wallet = Wallet.createRandom();
    const [a, b] = await Promise.all([registry.signIn(wallet), registry.signIn(wallet)]);
    expect(a.accountId).toBe(b.accountId);
  });

  it('takes a nonce once', async () => {
    const wallet = Wallet.createRandom();
    const message = await registry.message(wallet);
    const signature = await wallet.signMessage(message);
    const both = await Promise.all([registry.login(message, signature), registry.login(message, signature)]);
    expect(both.map((answer) => answer.status).sort()).toEqual([200, 401]);
    const again = await registry.login(message, signature);
    expect(again).toMatchObject({ status: 401, body: { code: 'nonce_unknown' } });
    expect(again.headers.get('www-authenticate')).toContain('Bearer');
    expect(again.headers.get('content-type')).toContain('application/problem+json');
  });

  it.each([
    ['another domain', { domain: 'evil.example' }, 'wrong_domain'],
    ['another page', { uri: 'https://evil.example' }, 'wrong_uri'],
    ['another chain', { chainId: 1 }, 'wrong_chain'],
    ['a nonce of its own', { nonce: 'abcdefgh12345678' }, 'nonce_unknown'],
    ['yesterday', { issuedAt: '2025-12-31T00:00:00Z' }, 'message_expired'],
    ['a passed expiration', { expirationTime: '2025-12-31T23:00:00Z' }, 'message_expired'],
    ['tomorrow', { notBefore: '2026-01-02T00:00:00Z' }, 'message_not_yet_valid'],
  ])('refuses a message for %s', async (_, changes, code) => {
    const wallet = Wallet.createRandom();
    const message = await registry.message(wallet, changes);
    expect(await registry.login(message, await wallet.signMessage(message))).toMatchObject({
      status: 401,
      body: { code },
    });
  });

  it('refuses another wallet’s signature, a nonce that is too old, and what is no message', async () => {
    const wallet = Wallet.createRandom();
    const message = await registry.message(wallet);
    const forged = await registry.login(message, await Wallet.createRandom().signMessage(message));
    expect(forged).toMatchObject({ status: 401, body: { code: 'invalid_signature' } });
    const old = await registry.message(wallet);
    registry.clock.advance(300_000);
    expect(await registry.login(old, await wallet.signMessage(old))).toMatchObject({
      body: { code: 'nonce_unknown' },
    });
    expect(await registry.login('let me in', '0x00')).toMatchObject({
      status: 422,
      body: { code: 'malformed_message', errors: [{ pointer: '/message' }] },
    });
    expect(await registry.call('POST', '/v1/auth/login', { body: {} })).toMatchObject({ status: 422 });
  });

  it('asks a contract wallet about its signature (ERC-1271)', async () => {
    const message = await registry.message({ address: '0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC' });
    const { status, body } = await registry.login(message, '0x600d');
    expect({ status, code: body['code'] }).toEqual({ status: 200, code: undefined });
    const other = await registry.message({ address: '0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC' });
    expect(await registry.login(other, '0xbaad')).toMatchObject({ body: { code: 'invalid_signature' } });
  });
});

describe('tokens', () => {
  it('run out after a quarter of an hour, and are renewed with a refresh token that is good once', async () => {
    const { token, refreshToken, accountId } = await registry.signIn();
    registry.clock.advance(906_000);
    expect(await registry.call('GET', '/v1/accounts/me', { token })).toMatchObject({
      status: 401,
      body: { code: 'expired_token' },
    });
    const refresh = (refreshToken: string) =>
      registry.call('POST', '/v1/auth/refresh', { body: { refreshToken } });
    const renewed = await refresh(refreshToken);
    expect(renewed).toMatchObject({ status: 200, body: { accountId } });
    const access = renewed.body['accessToken'] as string;
    expect((await registry.call('GET', '/v1/accounts/me', { token: access })).status).toBe(200);
    // Used twice: somebody has a copy, so the whole session ends.
    expect(await refresh(refreshToken)).toMatchObject({
      status: 401,
      body: { code: 'refresh_token_reused' },
    });
    expect(await refresh(renewed.body['refreshToken'] as string)).toMatchObject({
      status: 401,
      body: { code: 'refresh_token_revoked' },
    });
  });

  it('of one refresh token used twice at once, at most one is good', async () => {
    const { refreshToken } = await registry.signIn();
    const answers = await Promise.all(
      [1, 2, 3].map(() => registry.call('POST', '/v1/auth/refresh', { body: { refreshToken } })),
    );
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
  });

  it('end with logout, and refresh tokens with time', async () => {
    const gone = await registry.signIn();
    expect(
      (await registry.call('POST', '/v1/auth/logout', { body: { refreshToken: gone.refreshToken } })).status,
    ).toBe(204);
    const refused = await registry.call('POST', '/v1/auth/refresh', {
      body: { refreshToken: gone.refreshToken },
    });
    expect(refused.body['code']).toBe('refresh_token_revoked');
    const old = await registry.signIn();
    registry.clock.advance(2_592_001_000);
    const expired = await registry.call('POST', '/v1/auth/refresh', {
      body: { refreshToken: old.refreshToken },
    });
    expect(expired.body['code']).toBe('refresh_token_expired');
    expect(
      (await registry.call('POST', '/v1/auth/refresh', { body: { refreshToken: 'nonsense' } })).body['code'],
    ).toBe('refresh_token_invalid');
  });

  it('outlive a restart, because the signing key does', async () => {
    const { token } = await registry.signIn();
    const before = await registry.call<{ keys: { kid: string; d?: string }[] }>(
      'GET',
      '/.well-known/jwks.json',
    );
    expect(before.body.keys).toHaveLength(1);
    expect(before.body.keys[0]).not.toHaveProperty('d');
    await registry.stopService();
    await registry.startService();
    const after = await registry.call<{ keys: { kid: string }[] }>('GET', '/.well-known/jwks.json');
    expect(after.body.keys).toEqual(before.body.keys);
    expect((await registry.call('GET', '/v1/accounts/me', { token })).status).toBe(200);
  });
});

describe('API keys', () => {
  const issue = (token: string, body: Record<string, unknown> = { name: 'ci' }) =>
    registry.call<{ apiKeyId: string; key: string; scopes: string[]; code: string }>('POST', '/v1/api-keys', {
      token,
      body,
    });
  const me = (token: string) => registry.call('GET', '/v1/accounts/me', { token });

  it('are shown once, work at once, are listed without the key, and are refused when revoked', async () => {
    const { token, accountId } = await registry.signIn();
    const { status, body } = await issue(token);
    expect(status).toBe(201);
    expect(body.key).toMatch(/^gbk_[A-Za-z0-9_-]{43}$/);
    expect(body.scopes).toContain('orders:write');
    expect(body.scopes).not.toContain('accounts:write');
    expect(await me(body.key)).toMatchObject({ status: 200, body: { accountId } });
    const list = await registry.call<{ items: unknown[] }>('GET', '/v1/api-keys', { token });
    expect(list.body.items).toMatchObject([{ apiKeyId: body.apiKeyId, name: 'ci', revokedAt: null }]);
    expect(JSON.stringify(list.body)).not.toContain(body.key);
    const [{ dump }] = await registry.dataSource.query<[{ dump: string }]>(
      `SELECT (SELECT jsonb_agg(k) FROM api_keys k)::text || (SELECT jsonb_agg(e.data) FROM events e)::text AS dump`,
    );
    expect(dump).not.toContain(body.key);
    expect((await registry.call('DELETE', `/v1/api-keys/${body.apiKeyId}`, { token })).status).toBe(204);
    expect(await me(body.key)).toMatchObject({ status: 401, body: { code: 'revoked_key' } });
    await eventually(() =>
      expect(registry.typesOf(accountId)).toEqual(['AccountOpened', 'ApiKeyIssued', 'ApiKeyRevoked']),
    );
  });

  it('have no more scopes than asked for, and never more than their maker', async () => {
    const { token } = await registry.signIn();
    const { body } = await issue(token, { name: 'reader', scopes: ['orders:read', 'accounts:write'] });
    expect(await issue(body.key, { name: 'more', scopes: ['orders:write'] })).toMatchObject({
      status: 403,
      body: { code: 'scope_not_held' },
    });
    expect(await issue(token, { name: 'boss', scopes: ['operator'] })).toMatchObject({ status: 403 });
    const { body: plain } = await issue(token, { name: 'plain', scopes: ['orders:read'] });
    expect(await issue(plain.key)).toMatchObject({ status: 403, body: { code: 'missing_scope' } });
    expect(await issue(token, { name: 'x', scopes: ['everything'] })).toMatchObject({ status: 422 });
  });

  it('expire', async () => {
    const { token } = await registry.signIn();
    const { body } = await issue(token, { name: 'short', expiresInSeconds: 60 });
    expect((await me(body.key)).status).toBe(200);
    registry.clock.advance(60_000);
    expect(await me(body.key)).toMatchObject({ status: 401, body: { code: 'expired_token' } });
  });

  it('of another account do not exist', async () => {
    const [mine, theirs] = [await registry.signIn(), await registry.signIn()];
    const { body } = await issue(theirs.token);
    const answer = await registry.call('DELETE', `/v1/api-keys/${body.apiKeyId}`, { token: mine.token });
    expect(answer).toMatchObject({ status: 404, body: { code: 'api_key_not_found' } });
    expect((await me(body.key)).status).toBe(200);
  });

  it('are paged', async () => {
    const { token } = await registry.signIn();
    for (const name of ['a', 'b', 'c']) await issue(token, { name });
    const first = await registry.call<{ items: { name: string }[]; nextCursor: string }>(
      'GET',
      '/v1/api-keys?limit=2',
      { token },
    );
    const rest = await registry.call<{ items: { name: string }[]; nextCursor: null }>(
      'GET',
      `/v1/api-keys?limit=2&cursor=${first.body.nextCursor}`,
      { token },
    );
    expect([...first.body.items, ...rest.body.items].map((item) => item.name).sort()).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect(rest.body.nextCursor).toBeNull();
  });
});

it('documents every route', () => {
  const document = registry.openApi();
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining([
      '/v1/auth/login',
      '/.well-known/jwks.json',
      '/v1/api-keys/{id}',
      '/v1/providers/{id}/offers/{offerId}',
      '/v1/offers',
    ]),
  );
  expect(Object.keys(document.components?.schemas ?? {})).toEqual(
    expect.arrayContaining(['Provider', 'Offer', 'OfferRequest', 'Tokens', 'IssuedApiKey', 'Money']),
  );
});

it('needs a caller where it is not public', async () => {
  expect(await registry.call('GET', '/v1/accounts/me')).toMatchObject({
    status: 401,
    body: { code: 'missing_credentials' },
  });
});
