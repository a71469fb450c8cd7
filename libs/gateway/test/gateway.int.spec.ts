import type { ServiceCard, ServiceOpenApi } from '@gridbourse/api';
import { silentLogger } from '@gridbourse/observability';
import { eventually, freePort } from '@gridbourse/testing';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type IncomingMessage, request as httpRequest, type Server } from 'node:http';
import type { GatewayService } from '../src/gateway-service.ts';
import { HttpGateway, RemoteService } from '../src/index.ts';

// Real here: the gateway, sockets, HTTP. The services are small servers that tell what they serve as the chassis does.

type Seen = { url: string; headers: IncomingMessage['headers']; body: string; closed: boolean };

/**
 * A service on a port of its own: echoes what is posted, streams at /v1/<name>/stream until it is let go, and says
 * nothing at /v1/<name>/silence.
 */
class SmallService {
  readonly seen: Seen[] = [];
  readiness = { status: 'ready', checks: { database: 'ok' } };
  private server: Server | null = null;

  constructor(
    readonly name: string,
    readonly port: number,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(paths: readonly string[]): Promise<void> {
    const card: ServiceCard = {
      name: this.name,
      publicPaths: [...paths],
      grpcPackages: [],
      grpcPort: null,
    };
    const openApi = {
      openapi: '3.1.0',
      info: { title: this.name, version: '1' },
      paths: { [`/v1/${this.name}`]: {} },
    };
    const fixed: Record<string, unknown> = {
      '/service.json': card,
      '/openapi.json': openApi,
      '/health/ready': this.readiness,
    };
    const server = createServer((request, response) => {
      const answer = fixed[request.url!];
      if (answer !== undefined) return void response.end(JSON.stringify(answer));
      const seen: Seen = { url: request.url!, headers: request.headers, body: '', closed: false };
      this.seen.push(seen);
      request.on('data', (chunk: Buffer) => (seen.body += chunk.toString('utf8')));
      response.on('close', () => (seen.closed = true));
      if (request.url!.endsWith('/silence')) return;
      if (request.url!.endsWith('/stream')) return void response.write('first\n');
      request.on('end', () => {
        response.setHeader('x-served-by', this.name);
        response.setHeader('x-of-this-hop', 'no business of the client');
        response.setHeader('connection', 'x-of-this-hop');
        response.statusCode = 201;
        response.end(seen.body);
      });
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => (this.server ? this.server.close(resolve) : resolve(null)));
    this.server = null;
  }
}

describe('the gateway before services of other processes', () => {
  const stops: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  const world = async (...names: string[]) => {
    const services = await Promise.all(names.map(async (name) => new SmallService(name, await freePort())));
    const remotes = services.map(
      ({ name, url }) => new RemoteService({ name, url, logger: silentLogger, answerWithinMs: 1_000 }),
    );
    const gateway = new HttpGateway(remotes, { console: 'http://console' });
    const port = await freePort();
    await gateway.listen(port);
    for (const remote of remotes) remote.start();
    stops.push(
      ...services.map((service) => () => service.stop()),
      ...remotes.map((remote) => () => remote.close()),
      () => gateway.close(50),
    );
    return { services, origin: `http://127.0.0.1:${port}` };
  };
  const until = (origin: string, path: string, status: number): Promise<unknown> =>
    eventually(
      async () => expect((await fetch(`${origin}${path}`, { method: 'POST' })).status).toBe(status),
      {
        deadlineMs: 10_000,
      },
    );

  it('sends a request to the service with the longest fitting prefix, body and answer as they are', async () => {
    const { services, origin } = await world('orders', 'logs');
    await services[0]!.start(['/v1/orders']);
    await services[1]!.start(['/v1/orders/logs']);
    await until(origin, '/v1/orders', 201);
    await until(origin, '/v1/orders/logs', 201);
    const answer = await fetch(`${origin}/v1/orders/7?deep=1`, { method: 'POST', body: 'x'.repeat(300_000) });
    expect([answer.status, answer.headers.get('x-served-by')]).toEqual([201, 'orders']);
    expect(await answer.text()).toHaveLength(300_000);
    const other = await fetch(`${origin}/v1/orders/logs/7`, { method: 'POST', body: 'y' });
    expect(other.headers.get('x-served-by')).toBe('logs');
    expect((await fetch(`${origin}/v1/ordersx`)).status).toBe(404);
  });

  it('says 503 while a service is not known yet, and 404 only when every service is', async () => {
    const { services, origin } = await world('orders');
    const early = await fetch(`${origin}/v1/orders`);
    expect([early.status, early.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await early.json()).toMatchObject({ code: 'service_not_known_yet', instance: '/v1/orders' });
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
    expect((await fetch(`${origin}/v1/nothing`)).status).toBe(404);
    const document = (await (await fetch(`${origin}/openapi.json`)).json()) as { paths: object };
    expect(Object.keys(document.paths)).toEqual(['/v1/orders']);
  });

  it('says 503 while a service is away, and goes on by itself when it is back', async () => {
    const { services, origin } = await world('orders', 'billing');
    await services[0]!.start(['/v1/orders']);
    await services[1]!.start(['/v1/billing']);
    await until(origin, '/v1/orders', 201);
    await until(origin, '/v1/billing', 201);
    expect((await fetch(`${origin}/health/ready`)).status).toBe(200);
    await services[0]!.stop();
    const away = await fetch(`${origin}/v1/orders`, { method: 'POST', body: 'x' });
    expect(away.status).toBe(503);
    expect(await away.json()).toMatchObject({ code: 'service_unreachable', instance: '/v1/orders' });
    expect((await fetch(`${origin}/health/ready`)).status).toBe(503);
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
  });

  it('is not ready while a service says that it is not', async () => {
    const { services, origin } = await world('orders');
    services[0]!.readiness = { status: 'not_ready', checks: { database: 'away' } };
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
    const answer = await fetch(`${origin}/health/ready`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({
      status: 'not_ready',
      services: { orders: { ready: false, checks: { database: 'away' } } },
    });
  });

  it('does not route to a stranger on the port of a service', async () => {
    const { services, origin } = await world('orders', 'billing');
    const stranger = new SmallService('stranger', services[0]!.port);
    stops.push(() => stranger.stop());
    await stranger.start(['/v1/orders']);
    await services[1]!.start(['/v1/billing']);
    await until(origin, '/v1/billing', 201);
    expect((await fetch(`${origin}/v1/orders`, { method: 'POST' })).status).toBe(503);
    expect(stranger.seen).toEqual([]);
  });

  it('reaches what every service has under its name, and nothing else of it', async () => {
    const { services, origin } = await world('orders', 'billing');
    await services[0]!.start(['/v1/orders']);
    await services[1]!.start(['/v1/billing']);
    await until(origin, '/v1/billing', 201);
    await until(origin, '/v1/orders', 201);
    for (const path of [
      '/ops/dead-letters?key=a%2Fb&limit=1',
      '/ops/read-models/x/rebuild',
      '/health/live',
      '/metrics',
    ]) {
      const answer = await fetch(`${origin}/services/billing${path}`, { method: 'POST', body: 'x' });
      expect([path, answer.headers.get('x-served-by'), answer.status]).toEqual([path, 'billing', 201]);
      expect(services[1]!.seen.at(-1)).toMatchObject({ url: path, body: 'x' });
    }
    const ready = await fetch(`${origin}/services/billing/health/ready`);
    expect(await ready.json()).toEqual({ status: 'ready', checks: { database: 'ok' } });
    const seen = [services[0]!.seen.length, services[1]!.seen.length];
    for (const path of [
      '/services/billing/v1/billing',
      '/services/billing/ops/',
      '/services/nobody/ops/x',
      '/services/billing/metrics/x',
    ]) {
      const answer = await fetch(`${origin}${path}`, { method: 'POST' });
      expect([path, answer.status]).toEqual([path, 404]);
      expect(await answer.json()).toMatchObject({ code: 'no_such_route', instance: path });
    }
    expect([services[0]!.seen.length, services[1]!.seen.length]).toEqual(seen);
  });

  it('answers for itself: where things are, that it lives, documents, and no file beside them', async () => {
    const { services, origin } = await world('orders');
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
    expect(await (await fetch(`${origin}/`)).json()).toEqual({
      name: 'Gridbourse',
      console: 'http://console',
    });
    expect(await (await fetch(`${origin}/health/live`)).json()).toEqual({ status: 'live' });
    expect(await (await fetch(`${origin}/health/ready`)).json()).toEqual({
      status: 'ready',
      services: { orders: { ready: true, checks: { database: 'ok' } } },
    });
    for (const [path, type] of [
      ['/docs', 'text/html; charset=utf-8'],
      ['/docs/', 'text/html; charset=utf-8'],
      ['/docs/swagger-ui.css', 'text/css; charset=utf-8'],
      ['/docs/swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
      ['/asyncapi.json', 'application/json'],
      ['/schemas/matchmaker.LeaseAccepted.v1.json', 'application/schema+json'],
    ] as const) {
      const answer = await fetch(`${origin}${path}`);
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([path, 200, type]);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect((await answer.text()).length).toBeGreaterThan(100);
    }
    for (const path of ['/docs/package.json', '/docs/..%2Fpackage.json', '/schemas/none.json']) {
      expect([path, (await fetch(`${origin}${path}`)).status]).toEqual([path, 404]);
    }
  });

  it('describes what is served now, also when a service has come to serve something else', async () => {
    const document = (path: string) =>
      ({
        openapi: '3.1.0',
        info: { title: 'one', version: '1' },
        paths: { [path]: {} },
      }) as unknown as ServiceOpenApi;
    let now: ServiceOpenApi | null = null;
    const service: GatewayService = {
      ...{ name: 'orders', publicPaths: ['/v1/orders'], grpcPackages: [], grpcTarget: undefined },
      openApi: () => now,
      handle: () => undefined,
      ready: () => Promise.resolve({ ready: true, checks: {} }),
    };
    const gateway = new HttpGateway([service], {});
    const port = await freePort();
    await gateway.listen(port);
    stops.push(() => gateway.close(50));
    const shown = async (): Promise<string[]> => {
      const answer = await fetch(`http://127.0.0.1:${port}/openapi.json`);
      return Object.keys(((await answer.json()) as { paths: object }).paths);
    };
    expect(await shown()).toEqual([]);
    now = document('/v1/orders');
    expect(await shown()).toEqual(['/v1/orders']);
    expect(await shown()).toEqual(['/v1/orders']);
    now = document('/v2/orders');
    expect(await shown()).toEqual(['/v2/orders']);
  });

  it('keeps to itself what is meant for one hop, in both directions', async () => {
    const { services, origin } = await world('orders');
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest(`${origin}/v1/orders`, {
        method: 'POST',
        headers: {
          ...{ connection: 'close, X-Mine', 'x-mine': '1', te: 'trailers', 'proxy-authorization': 'secret' },
          'x-kept': 'yes',
        },
      });
      request.on('response', resolve).on('error', reject).end('body');
    });
    const { headers } = services[0]!.seen.at(-1)!;
    for (const name of ['x-mine', 'te', 'proxy-authorization']) expect(headers).not.toHaveProperty(name);
    expect(headers['x-kept']).toBe('yes');
    expect(answer.headers).not.toHaveProperty('x-of-this-hop');
    expect(answer.headers['x-served-by']).toBe('orders');
    answer.resume();
  });

  it('lets what is in hand end when it closes, and cuts what does not end', async () => {
    const { services, origin } = await world('orders');
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
    const remote = new RemoteService({ name: 'orders', url: services[0]!.url, logger: silentLogger });
    remote.start();
    stops.push(() => remote.close());
    await eventually(() => expect(remote.publicPaths).toEqual(['/v1/orders']));
    const gateway = new HttpGateway([remote], {});
    const port = await freePort();
    await gateway.listen(port);
    const slow = httpRequest(`http://127.0.0.1:${port}/v1/orders`, { method: 'POST' });
    const answered = new Promise<number>((resolve) =>
      slow.on('response', (answer) => resolve(answer.resume().statusCode!)),
    );
    slow.write('first half, ');
    await eventually(() => expect(services[0]!.seen.at(-1)!.body).toBe('first half, '));
    const endless = httpRequest(`http://127.0.0.1:${port}/v1/orders/stream`);
    const cut = new Promise((resolve) => endless.on('error', resolve).on('close', resolve));
    const streaming = new Promise((resolve) => endless.on('response', resolve));
    endless.end();
    await streaming;
    const closed = gateway.close(300);
    slow.end('second half');
    expect(await answered).toBe(201);
    await closed;
    await cut;
    await expect(fetch(`http://127.0.0.1:${port}/health/live`)).rejects.toThrow();
  });

  it('tells the service from where a request came, and believes no claim of the client', async () => {
    const { services, origin } = await world('orders');
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
    await fetch(`${origin}/v1/orders`, {
      method: 'POST',
      headers: { 'x-forwarded-for': '1.2.3.4', forwarded: 'for=1.2.3.4', authorization: 'Bearer t' },
    });
    const { headers } = services[0]!.seen.at(-1)!;
    expect(headers['x-forwarded-for']).toBe('127.0.0.1');
    expect(headers).not.toHaveProperty('forwarded');
    expect(headers.authorization).toBe('Bearer t');
  });

  it('cuts an answer short where the service dies in the middle of it, and adds nothing', async () => {
    const { services, origin } = await world('orders');
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
    const client = httpRequest(`${origin}/v1/orders/stream`);
    client.on('error', () => undefined);
    client.end();
    const answer = await new Promise<IncomingMessage>((resolve) => client.on('response', resolve));
    let text = '';
    answer.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    const cut = new Promise((resolve) => answer.on('error', resolve));
    await eventually(() => expect(text).toBe('first\n'));
    await services[0]!.stop();
    expect(await cut).toMatchObject({ code: 'ECONNRESET' });
    expect(text).toBe('first\n');
    expect((await fetch(`${origin}/health/live`)).status).toBe(200);
  });

  it('passes a stream on as it comes, and ends it at the service when the client goes', async () => {
    const { services, origin } = await world('orders');
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
    const client = httpRequest(`${origin}/v1/orders/stream`);
    const first = new Promise<string>((resolve) =>
      client.on('response', (answer) => answer.once('data', (chunk: Buffer) => resolve(chunk.toString()))),
    );
    client.on('error', () => undefined);
    client.end();
    expect(await first).toBe('first\n');
    expect(services[0]!.seen.at(-1)!.closed).toBe(false);
    client.destroy();
    await eventually(() => expect(services[0]!.seen.at(-1)!.closed).toBe(true));
  });

  it('says 504 to a caller whose service takes the request and says nothing, and lets go of it', async () => {
    const { services, origin } = await world('orders');
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
    const answer = await fetch(`${origin}/v1/orders/silence`);
    expect(answer.status).toBe(504);
    expect(await answer.json()).toMatchObject({
      code: 'service_unreachable',
      instance: '/v1/orders/silence',
    });
    await eventually(() => expect(services[0]!.seen.at(-1)!.closed).toBe(true));
  });

  it('breaks a stream off when its service dies, so that nobody takes it for complete', async () => {
    const { services, origin } = await world('orders');
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
    const answer = await fetch(`${origin}/v1/orders/stream`);
    const reader = answer.body!.getReader();
    expect(Buffer.from((await reader.read()).value).toString()).toBe('first\n');
    await services[0]!.stop();
    await expect(reader.read()).rejects.toThrow();
  });
});
