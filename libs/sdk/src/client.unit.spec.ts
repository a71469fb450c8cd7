import { afterEach, describe, expect, it } from '@jest/globals';
import { ManualClock, seededRandom } from '@gridbourse/kernel';
import { Wallet } from 'ethers';
import { SiweMessage } from 'siwe';
import { answer, type Handler, LocalPlatform, problem } from '../test/local-platform.ts';
import {
  ApiError,
  type ClientAuth,
  GridbourseClient,
  signInMessage,
  type Tokens,
  UnreachableError,
} from './index.ts';

// Real parts: fetch, HTTP and its failures. The platform is a server of the test.
const running: LocalPlatform[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((platform) => platform.stop()));
});

const NOON = Date.parse('2026-06-01T12:00:00Z');

const against = async (handler: Handler, auth: ClientAuth = { apiKey: 'gbk_test' }, deadlineMs = 5_000) => {
  const platform = await LocalPlatform.start(handler);
  running.push(platform);
  const client = new GridbourseClient({ origin: platform.origin, auth, deadlineMs, random: seededRandom(1) });
  return { client, platform };
};

const caught = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => new Error('it should have failed'),
    (error: unknown) => error,
  );

const order = { orderId: 'ord_1', state: 'matched' };

describe('a call', () => {
  it('names the caller and encodes what it puts into the path', async () => {
    const { client, platform } = await against((_, response) => answer(response, 200, order));
    expect(await client.order('../leases?x=1')).toEqual(order);
    expect(platform.received[0]).toMatchObject({ method: 'GET', path: '/v1/orders/..%2Fleases%3Fx%3D1' });
    expect(platform.received[0]!.headers.authorization).toBe('Bearer gbk_test');
  });

  it('sends only the query that was given', async () => {
    const { client, platform } = await against((_, response) =>
      answer(response, 200, { items: [], nextCursor: null }),
    );
    await client.leases({ state: 'active', limit: 10 });
    await client.usage();
    expect(platform.received.map(({ path }) => path)).toEqual([
      '/v1/leases?state=active&limit=10',
      '/v1/usage',
    ]);
  });

  it('waits for an auction, and bids in it under one key', async () => {
    const open = { orderId: 'ord_1', groups: [] };
    const { client, platform } = await against((request, response, count) => {
      if (request.method === 'GET') answer(response, 200, { items: [open] });
      else if (count < 3) problem(response, 503, 'unavailable');
      else answer(response, 201, { bidId: 'bid_1' });
    });
    expect(await client.auctions({ preferWaitSeconds: 20 })).toEqual([open]);
    const wish = { orderId: 'ord_1', offerId: 'off_1', rateUsdcPerHour: '0.9' };
    expect(await client.placeBid(wish)).toEqual({ bidId: 'bid_1' });
    const [asked, ...placed] = platform.received;
    expect(asked).toMatchObject({ path: '/v1/auctions', headers: { prefer: 'wait=20' } });
    expect(placed.map(({ path, body }) => [path, JSON.parse(body)])).toEqual([
      ['/v1/bids', wish],
      ['/v1/bids', wish],
    ]);
    expect(new Set(placed.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });

  it('throws a refusal as it was said, at once', async () => {
    const errors = [{ pointer: '/services/web', message: 'expected an image', line: 3, column: 5 }];
    const { client, platform } = await against((_, response) =>
      answer(response, 422, {
        title: 'invalid manifest',
        code: 'invalid_manifest',
        detail: 'line 3',
        requestId: 'req_9',
        errors,
      }),
    );
    const error = await caught(client.quote({ manifest: 'x' }));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      status: 422,
      code: 'invalid_manifest',
      title: 'invalid manifest',
      detail: 'line 3',
      requestId: 'req_9',
      errors,
    });
    expect(platform.received).toHaveLength(1);
  });

  it.each([
    ['a page of a proxy', 500, '<html>oops</html>'],
    ['null', 500, 'null'],
    ['nothing', 500, ''],
    ['faults that are no list', 500, '{"errors": 5}'],
  ])('makes an ApiError of a refusal that is %s', async (_what, status, body) => {
    const { client } = await against((_, response) => answer(response, status, body));
    expect(await caught(client.escrow())).toMatchObject({ name: 'ApiError', status, errors: [] });
  });

  it('does not take a page that is no JSON for an answer', async () => {
    const { client } = await against((_, response) => answer(response, 200, '<html>'));
    expect(await caught(client.escrow())).toMatchObject({ name: 'ApiError', code: 'unreadable_answer' });
  });

  it('does not follow redirects with the key in hand', async () => {
    const { client } = await against(
      (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      { apiKey: 'k' },
      200,
    );
    expect(await caught(client.escrow())).toBeInstanceOf(UnreachableError);
  });
});

describe('trying again', () => {
  it.each([429, 503])('after %s, with the same Idempotency-Key', async (status) => {
    const { client, platform } = await against((_, response, count) =>
      count < 3 ? problem(response, status, 'too_busy') : answer(response, 201, order),
    );
    expect(await client.createOrder({ manifest: 'x' })).toEqual(order);
    const keys = platform.received.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(new Set(platform.received.map(({ body }) => body)).size).toBe(1);
  });

  it('after a connection that broke, in the middle of the answer too', async () => {
    const { client, platform } = await against((_, response, count) => {
      if (count === 1) response.socket!.destroy();
      else if (count === 2) {
        response.writeHead(200, { 'content-length': '1000' }).write('{"orderId"');
        setImmediate(() => response.socket!.destroy());
      } else answer(response, 201, order);
    });
    expect(await client.createOrder({ manifest: 'x' }, 'mine')).toEqual(order);
    expect(platform.received.map(({ headers }) => headers['idempotency-key'])).toEqual([
      'mine',
      'mine',
      'mine',
    ]);
  });

  it('while the first try is still being worked on', async () => {
    const { client } = await against((_, response, count) =>
      count === 1 ? problem(response, 409, 'request_in_progress') : answer(response, 201, order),
    );
    expect(await client.createOrder({ manifest: 'x' })).toEqual(order);
  });

  it('not after a conflict of another kind', async () => {
    const { client, platform } = await against((_, response) => problem(response, 409, 'lease_is_closed'));
    expect(await caught(client.closeLease('lea_1'))).toMatchObject({ status: 409, code: 'lease_is_closed' });
    expect(platform.received).toHaveLength(1);
  });

  it('not for a write that may have happened and has no key', async () => {
    const { client, platform } = await against((request, response) => {
      if (request.path === '/v1/auth/nonce') {
        answer(response, 200, {
          nonce: 'n',
          domain: 'd',
          uri: 'u',
          chainId: 1,
          expiresAt: '2026-06-01T13:00:00Z',
        });
      } else response.socket!.destroy();
    });
    const signer = { address: '0x', signMessage: () => Promise.resolve('0x') };
    expect(await caught(client.signIn(signer, () => 'text'))).toBeInstanceOf(UnreachableError);
    expect(platform.received.map(({ path }) => path)).toEqual(['/v1/auth/nonce', '/v1/auth/login']);
  });

  it('ends at the deadline, with the platform’s own words when it had some', async () => {
    const busy = await against((_, response) => problem(response, 503, 'starting'), undefined, 300);
    expect(await caught(busy.client.escrow())).toMatchObject({
      name: 'ApiError',
      status: 503,
      code: 'starting',
    });
    expect(busy.platform.received.length).toBeGreaterThan(1);
    const gone = await against(() => undefined, undefined, 300);
    expect(await caught(gone.client.escrow())).toBeInstanceOf(UnreachableError);
    await gone.platform.stop();
    running.splice(running.indexOf(gone.platform), 1);
    expect(await caught(gone.client.escrow())).toMatchObject({ name: 'UnreachableError' });
  });

  it('does not wait for a time that is past the deadline', async () => {
    const { client, platform } = await against((_, response) =>
      problem(response, 429, 'slow_down', { 'retry-after': '3600' }),
    );
    expect(await caught(client.escrow())).toMatchObject({ status: 429, retryAfterMs: 3_600_000 });
    expect(platform.received).toHaveLength(1);
  });

  it('takes a thing that is gone as removed when the first answer was lost', async () => {
    const { client } = await against((_, response, count) =>
      count === 1 ? void response.socket!.destroy() : problem(response, 404, 'api_key_not_found'),
    );
    expect(await client.revokeApiKey('key_1')).toBeUndefined();
    const never = await against((_, response) => problem(response, 404, 'api_key_not_found'));
    expect(await caught(never.client.revokeApiKey('key_1'))).toMatchObject({ status: 404 });
  });
});

describe('waiting on purpose', () => {
  it('is asked for in a header, and is not taken for a platform that hangs', async () => {
    const { platform } = await against(
      (_, response) => void setTimeout(() => answer(response, 201, order), 250),
    );
    const client = new GridbourseClient({
      origin: platform.origin,
      auth: { none: true },
      attemptMs: 100,
      deadlineMs: 150,
    });
    expect(await client.createOrder({ manifest: 'x' }, 'k', { preferWaitSeconds: 5 })).toEqual(order);
    expect(platform.received).toHaveLength(1);
    expect(platform.received[0]!.headers['prefer']).toBe('wait=5');
  });
});

describe('pages', () => {
  it('are read to the last', async () => {
    const { client, platform } = await against((request, response) => {
      const cursor = new URL(request.path, 'http://x').searchParams.get('cursor');
      const next = cursor === null ? 'a' : cursor === 'a' ? 'b' : null;
      answer(response, 200, { items: [{ leaseId: `lea_${cursor}` }], nextCursor: next });
    });
    const ids: string[] = [];
    for await (const lease of client.all((page) => client.leases({ ...page, state: 'closed' })))
      ids.push(lease.leaseId);
    expect(ids).toEqual(['lea_null', 'lea_a', 'lea_b']);
    expect(platform.received.map(({ path }) => path)).toEqual([
      '/v1/leases?state=closed',
      '/v1/leases?cursor=a&state=closed',
      '/v1/leases?cursor=b&state=closed',
    ]);
  });
});

describe('signing in', () => {
  const fields = {
    nonce: 'abcdefgh12345678',
    domain: 'localhost:4000',
    uri: 'http://localhost:4000',
    chainId: 31_337,
    expiresAt: '2026-06-01T12:05:00.000Z',
  };
  const tokens = (n: number, expiresAtMs: number): Tokens => ({
    accessToken: `access-${n}`,
    accessExpiresAt: new Date(expiresAtMs).toISOString(),
    refreshToken: `refresh-${n}`,
    accountId: 'acc_1',
  });

  it('words the message as the standard says', () => {
    const { address } = new Wallet(`0x${'11'.repeat(32)}`);
    const text = signInMessage(fields, address, new ManualClock(NOON));
    const parsed = new SiweMessage(text);
    const { expiresAt, ...written } = fields;
    expect(parsed).toMatchObject({ ...written, address, version: '1', expirationTime: expiresAt });
    expect(parsed.prepareMessage()).toBe(text);
  });

  it('takes the tokens into use, and tells them to whoever keeps them', async () => {
    const kept: Tokens[] = [];
    const wallet = new Wallet(`0x${'11'.repeat(32)}`);
    const later = Date.now() + 600_000;
    const { client, platform } = await against(
      (request, response) => {
        if (request.path === '/v1/auth/nonce') answer(response, 200, fields);
        else if (request.path === '/v1/auth/login') answer(response, 200, tokens(1, later));
        else answer(response, 200, { accountId: 'acc_1' });
      },
      { tokens: tokens(0, 0), onTokens: (given) => kept.push(given) },
    );
    await client.signIn({ address: wallet.address, signMessage: (text) => wallet.signMessage(text) });
    await client.account();
    const login = JSON.parse(platform.received[1]!.body) as { message: string; signature: string };
    await expect(
      new SiweMessage(login.message).verify({
        signature: login.signature,
        time: new Date(Date.parse(fields.expiresAt) - 1).toISOString(),
      }),
    ).resolves.toMatchObject({ success: true });
    expect(platform.received[2]!.headers.authorization).toBe('Bearer access-1');
    expect(kept.map(({ accessToken }) => accessToken)).toEqual(['access-1']);
  });

  it('renews the tokens ahead of time, once for many calls', async () => {
    const clock = new ManualClock(NOON);
    const kept: string[] = [];
    const platform = await LocalPlatform.start((request, response) => {
      if (request.path === '/v1/auth/refresh') answer(response, 200, tokens(2, NOON + 600_000));
      else answer(response, 200, {});
    });
    running.push(platform);
    const client = new GridbourseClient({
      origin: platform.origin,
      auth: { tokens: tokens(1, NOON + 10_000), onTokens: ({ refreshToken }) => kept.push(refreshToken) },
      clock,
    });
    await Promise.all([client.account(), client.escrow(), client.books()]);
    const refreshes = platform.received.filter(({ path }) => path === '/v1/auth/refresh');
    expect(refreshes.map(({ body }) => body)).toEqual(['{"refreshToken":"refresh-1"}']);
    const others = platform.received.filter(({ path }) => path !== '/v1/auth/refresh');
    expect(others.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill('Bearer access-2'));
    expect(kept).toEqual(['refresh-2']);
  });

  it('renews the tokens when they are refused before their time, and once only', async () => {
    const later = Date.now() + 600_000;
    let accepted = 'Bearer access-2';
    const { client, platform } = await against(
      (request, response) => {
        if (request.path === '/v1/auth/refresh') answer(response, 200, tokens(2, later));
        else if (request.headers.authorization === accepted) answer(response, 200, { accountId: 'acc_1' });
        else problem(response, 401, 'token_revoked');
      },
      { tokens: tokens(1, later) },
    );
    expect(await client.account()).toEqual({ accountId: 'acc_1' });
    accepted = 'none';
    platform.received.length = 0;
    expect(await caught(client.account())).toMatchObject({ status: 401 });
    expect(platform.received.map(({ path }) => path)).toEqual([
      '/v1/accounts/me',
      '/v1/auth/refresh',
      '/v1/accounts/me',
    ]);
  });

  it('says so when the tokens cannot be renewed', async () => {
    const { client } = await against((_, response) => problem(response, 401, 'refresh_token_used'), {
      tokens: tokens(1, 0),
    });
    expect(await caught(client.account())).toMatchObject({ status: 401, code: 'refresh_token_used' });
  });

  it('can be undone', async () => {
    const { client, platform } = await against((_, response) => void response.writeHead(204).end(), {
      tokens: tokens(1, Date.now() + 600_000),
    });
    await client.signOut();
    expect(platform.received[0]).toMatchObject({
      path: '/v1/auth/logout',
      body: '{"refreshToken":"refresh-1"}',
    });
    expect(platform.received[0]!.headers.authorization).toBeUndefined();
    await client.signOut();
    expect(platform.received).toHaveLength(1);
  });
});
