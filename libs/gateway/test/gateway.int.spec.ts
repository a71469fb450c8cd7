import type { ServiceCard } from '@gridbourse/api';
import { silentLogger } from '@gridbourse/observability';
import { eventually, freePort } from '@gridbourse/testing';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type IncomingMessage, request as httpRequest, type Server } from 'node:http';
import { HttpGateway, RemoteService } from '../src/index.ts';

// Real here: the gateway, sockets, HTTP. The services are small servers that tell what they serve as the chassis does.

type Seen = { headers: IncomingMessage['headers']; body: string; closed: boolean };

/**
 * A service on a port of its own: echoes what is posted, streams at /v1/<name>/stream until it is let go, and says
 * nothing at /v1/<name>/silence.
 */
class SmallService {
  readonly seen: Seen[] = [];
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
      '/health/ready': { status: 'ready', checks: { database: 'ok' } },
    };
    const server = createServer((request, response) => {
      const answer = fixed[request.url!];
      if (answer !== undefined) return void response.end(JSON.stringify(answer));
      const seen: Seen = { headers: request.headers, body: '', closed: false };
      this.seen.push(seen);
      request.on('data', (chunk: Buffer) => (seen.body += chunk.toString('utf8')));
      response.on('close', () => (seen.closed = true));
      if (request.url!.endsWith('/silence')) return;
      if (request.url!.endsWith('/stream')) return void response.write('first\n');
      request.on('end', () => {
        response.setHeader('x-served-by', this.name);
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
    const gateway = new HttpGateway(remotes, {});
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
    const { services, origin } = await world('orders');
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
    expect((await fetch(`${origin}/health/ready`)).status).toBe(200);
    await services[0]!.stop();
    const away = await fetch(`${origin}/v1/orders`, { method: 'POST', body: 'x' });
    expect(away.status).toBe(503);
    expect(await away.json()).toMatchObject({ code: 'service_unreachable', instance: '/v1/orders' });
    expect((await fetch(`${origin}/health/ready`)).status).toBe(503);
    await services[0]!.start(['/v1/orders']);
    await until(origin, '/v1/orders', 201);
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
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('first\n');
    await services[0]!.stop();
    await expect(reader.read()).rejects.toThrow();
  });
});
