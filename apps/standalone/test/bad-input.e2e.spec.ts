import { PROTO_ROOT } from '@gridbourse/proto';
import { GridbourseClient } from '@gridbourse/sdk';
import { credentials, loadPackageDefinition, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { MANIFEST, PlatformProcess } from '@gridbourse/testing/platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Wallet } from 'ethers';
import { SiweMessage } from 'siwe';

// Real here: everything, as `npm start` starts it.

const manifest = (change: (text: string) => string = (text) => text): string => change(MANIFEST);

type Problem = {
  status: number;
  code: string;
  errors: { pointer: string; message: string; line?: number }[];
};

describe('bad input', () => {
  let platform: PlatformProcess;
  let stranger: string;

  beforeAll(async () => {
    platform = await PlatformProcess.prepare();
    await platform.start();
    const wallet = Wallet.createRandom();
    const client = new GridbourseClient({ origin: platform.origin, auth: { none: true } });
    const tokens = await client.signIn(
      { address: wallet.address, signMessage: (message) => wallet.signMessage(message) },
      (fields) =>
        new SiweMessage({
          ...fields,
          address: wallet.address,
          version: '1',
          statement: 'x',
          expirationTime: undefined as never,
        }).prepareMessage(),
    );
    stranger = tokens.accessToken;
  }, 180_000);
  afterAll(() => platform.discard(), 60_000);

  const post = (path: string, body: unknown, token = platform.tenant.apiKey): Promise<Response> =>
    fetch(`${platform.origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const problem = async (response: Response): Promise<Problem> => {
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    return (await response.json()) as Problem;
  };
  const orderCount = async (): Promise<number> => {
    const client = new GridbourseClient({
      origin: platform.origin,
      auth: { apiKey: platform.tenant.apiKey },
    });
    return (await client.orders({ limit: 200 })).items.length;
  };

  it.each([
    [
      'an unknown field',
      (t: string) => t.replace('image: nginx:1.29', 'image: nginx:1.29\n    privileged: true'),
      5,
    ],
    ['a negative price', (t: string) => t.replace('amount: 5', 'amount: -5'), 34],
    ['an impossible amount of memory', (t: string) => t.replace('size: 1Gi', 'size: 900000Ti'), 20],
    [
      'a GPU count that is no number',
      (t: string) => t.replace('units: 1\n          attributes', 'units: many\n          attributes'),
      24,
    ],
  ])('in a manifest: %s is refused with its line, and nothing changes', async (_, change, line) => {
    const before = await orderCount();
    const response = await post('/v1/orders', { manifest: manifest(change) });
    expect(response.status).toBe(422);
    const { code, errors } = await problem(response);
    expect(code).toBe('invalid_manifest');
    expect(errors.map((e) => e.line)).toContain(line);
    expect(errors[0]!.pointer).not.toBe('');
    expect(await orderCount()).toBe(before);
  });

  it.each([
    ['text that is no YAML', 'a: [unclosed'],
    [
      'an alias bomb',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n`,
    ],
    ['a tower of brackets', '['.repeat(5_000)],
    ['a key twice', manifest((t) => t.replace('services:\n', 'services:\n  web: {}\n'))],
    ['nothing', ''],
  ])('hostile YAML (%s) is refused as the tenant’s fault', async (_, text) => {
    const response = await post('/v1/orders', { manifest: text });
    expect(response.status).toBe(422);
    expect((await problem(response)).errors.length).toBeGreaterThan(0);
  });

  it('a body over the limit, and one that is no JSON', async () => {
    expect((await problem(await post('/v1/orders', { manifest: 'x'.repeat(1_500_000) }))).status).toBe(413);
    expect((await problem(await post('/v1/orders', '{"manifest": '))).status).toBe(400);
  });

  it('wrong, forged and missing credentials', async () => {
    const [head, body] = stranger.split('.');
    for (const token of ['nonsense', `gbk_${'a'.repeat(43)}`, `${head}.${body}.AAAA`]) {
      expect((await problem(await post('/v1/orders', { manifest: manifest() }, token))).status).toBe(401);
    }
    const none = await fetch(`${platform.origin}/v1/orders`);
    expect((await problem(none)).code).toBe('missing_credentials');
  });

  it('a signature of another wallet, and a nonce used twice', async () => {
    const fields = (await (await post('/v1/auth/nonce', {})).json()) as {
      nonce: string;
      domain: string;
      uri: string;
      chainId: number;
    };
    const [claimed, actual] = [Wallet.createRandom(), Wallet.createRandom()];
    const message = new SiweMessage({
      ...fields,
      address: claimed.address,
      version: '1',
    }).prepareMessage();
    const forged = await post('/v1/auth/login', { message, signature: await actual.signMessage(message) });
    expect(forged.status).toBe(401);
    const honest = { message, signature: await claimed.signMessage(message) };
    const outcomes = [await post('/v1/auth/login', honest), await post('/v1/auth/login', honest)];
    expect(outcomes.filter((o) => o.ok).length).toBeLessThanOrEqual(1);
    expect(outcomes.at(-1)!.status).toBe(401);
  });

  it('another tenant’s ids look like ids that do not exist', async () => {
    const created = (await (
      await post('/v1/orders', { manifest: manifest((t) => t.replace('amount: 5', 'amount: 0.01')) })
    ).json()) as { orderId: string };
    const look = (path: string) =>
      fetch(`${platform.origin}${path}`, { headers: { authorization: `Bearer ${stranger}` } });
    for (const path of [
      `/v1/orders/${created.orderId}`,
      `/v1/orders/${created.orderId}/explanation`,
      `/v1/orders/${created.orderId}/timeline`,
    ]) {
      expect((await problem(await look(path))).status).toBe(404);
    }
    expect((await problem(await post(`/v1/orders/${created.orderId}/cancel`, {}, stranger))).status).toBe(
      404,
    );
    const mine = await fetch(`${platform.origin}/v1/orders/${created.orderId}`, {
      headers: { authorization: `Bearer ${platform.tenant.apiKey}` },
    });
    expect(((await mine.json()) as { state: string }).state).toBe('unmatched');
    await post(`/v1/orders/${created.orderId}/cancel`, {});
  });

  describe('over gRPC', () => {
    type Call = (
      request: object,
      metadata: Metadata,
      done: (error: ServiceError | null, answer?: unknown) => void,
    ) => void;
    const orderService = () => {
      const definition = loadSync('gridbourse/matchmaker/v1/orders.proto', {
        includeDirs: [PROTO_ROOT],
        longs: String,
        defaults: true,
        oneofs: true,
      });
      // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the loader's tree has no types
      const tree = loadPackageDefinition(definition) as any;
      return new tree.gridbourse.matchmaker.v1.OrderService(
        `127.0.0.1:${platform.grpcPort}`,
        credentials.createInsecure(),
      ) as Record<string, Call> & { close(): void };
    };
    const call = async (
      method: string,
      request: object,
      token?: string,
    ): Promise<{ error: ServiceError | null; answer: unknown }> => {
      const client = orderService();
      const metadata = new Metadata();
      if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
      try {
        return await new Promise((resolve) =>
          client[method]!(request, metadata, (error, answer) => resolve({ error, answer })),
        );
      } finally {
        client.close();
      }
    };

    it('the same faults have the matching status', async () => {
      const key = platform.tenant.apiKey;
      expect((await call('Quote', { order: { manifest: manifest() } })).error?.code).toBe(
        status.UNAUTHENTICATED,
      );
      expect((await call('GetOrder', { orderId: 'ord_00000000000000000000000000' }, key)).error?.code).toBe(
        status.NOT_FOUND,
      );
      const bad = await call(
        'SubmitOrder',
        { order: { manifest: manifest((t) => t.replace('amount: 5', 'amount: -5')) } },
        key,
      );
      expect(bad.error?.code).toBe(status.INVALID_ARGUMENT);
      const details = JSON.parse(
        (bad.error?.metadata.get('problem-bin')[0] as Buffer).toString('utf8'),
      ) as Problem;
      expect(details.errors.map((e) => e.line)).toContain(34);
    });

    it.each([
      [
        'an unknown field',
        manifest((t) => t.replace('image: nginx:1.29', 'image: nginx:1.29\n    privileged: true')),
      ],
      ['text that is no YAML', 'a: [unclosed'],
      ['a tower of brackets', '['.repeat(5_000)],
      ['nothing', ''],
    ])('%s is refused as the tenant’s fault, and nothing changes', async (_, text) => {
      const before = await orderCount();
      const { error } = await call('SubmitOrder', { order: { manifest: text } }, platform.tenant.apiKey);
      expect(error?.code).toBe(status.INVALID_ARGUMENT);
      expect(await orderCount()).toBe(before);
    });

    it('a message over the limit, forged credentials, and another tenant’s order', async () => {
      const key = platform.tenant.apiKey;
      const large = await call('SubmitOrder', { order: { manifest: 'x'.repeat(1_500_000) } }, key);
      expect(large.error?.code).toBe(status.RESOURCE_EXHAUSTED);
      const [head, body] = stranger.split('.');
      for (const token of ['nonsense', `gbk_${'a'.repeat(43)}`, `${head}.${body}.AAAA`]) {
        const forged = await call('SubmitOrder', { order: { manifest: manifest() } }, token);
        expect(forged.error?.code).toBe(status.UNAUTHENTICATED);
      }
      const order = { manifest: manifest((t) => t.replace('amount: 5', 'amount: 0.01')) };
      const mine = await call('SubmitOrder', { order }, key);
      const { orderId } = (mine.answer as { order: { orderId: string } }).order;
      for (const method of ['GetOrder', 'CancelOrder']) {
        expect((await call(method, { orderId }, stranger)).error?.code).toBe(status.NOT_FOUND);
      }
      const seen = await call('GetOrder', { orderId }, key);
      expect(seen).toMatchObject({ error: null, answer: { order: { state: 'unmatched' } } });
      await call('CancelOrder', { orderId }, key);
    });

    it('a good order is quoted, taken, seen and cancelled', async () => {
      const key = platform.tenant.apiKey;
      const quote = await call('Quote', { order: { manifest: manifest() } }, key);
      expect(quote).toMatchObject({ error: null, answer: { matched: true } });
      const order = { manifest: manifest((t) => t.replace('amount: 5', 'amount: 0.01')) };
      const first = await call('SubmitOrder', { order, idempotencyKey: 'grpc-1' }, key);
      const again = await call('SubmitOrder', { order, idempotencyKey: 'grpc-1' }, key);
      const idOf = (result: { answer: unknown }) =>
        (result.answer as { order: { orderId: string } }).order.orderId;
      expect(idOf(again)).toBe(idOf(first));
      const cancelled = await call('CancelOrder', { orderId: idOf(first) }, key);
      expect(cancelled).toMatchObject({ error: null, answer: { order: { state: 'cancelled' } } });
    });
  });
});
