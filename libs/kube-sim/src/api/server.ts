import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from '@gridbourse/kernel';
import type { FaultEffect, FaultPlan } from '../faults.ts';
import { PODS } from '../kinds.ts';
import type { ObjectStore } from '../storage/store.ts';
import { parseBody, readBody } from './body.ts';
import { discover } from './discovery.ts';
import { serveLogs } from './logs.ts';
import { Operations } from './operations.ts';
import { canStrike, sufferFaults, withoutSome } from './request-faults.ts';
import { parseRoute, type Route } from './route.ts';
import { ApiError, noSuchPath, unauthorized } from './status.ts';
import { WatchStream } from './watch.ts';
import type { ResourceWriter } from './writer.ts';

export type ApiServerOptions = {
  host: string;
  port: number;
  token: string;
  store: ObjectStore;
  writer: ResourceWriter;
  faults: FaultPlan;
  clock: Clock;
  bookmarkIntervalMs: number;
  /** Answers `/sim/...`; undefined when it is no such path. */
  admin: (method: string, path: string, body: unknown) => { status: number; body: unknown } | undefined;
};

type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  method: string;
  path: string;
  query: URLSearchParams;
};

const OPEN_PATHS = new Set(['/version', '/healthz', '/livez', '/readyz']);
const WRITES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** The HTTP face of the cluster. */
export class ApiServer {
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();
  private readonly watches = new Set<WatchStream>();
  private readonly options: ApiServerOptions;
  private readonly operations: Operations;
  private boundPort: number;
  private hanging = false;

  constructor(options: ApiServerOptions) {
    this.options = options;
    this.operations = new Operations(options.writer, options.clock);
    this.boundPort = options.port;
  }

  get url(): string {
    return `http://${this.options.host}:${this.boundPort}`;
  }

  get openWatches(): readonly WatchStream[] {
    return [...this.watches];
  }

  async listen(): Promise<void> {
    if (this.server) return;
    const server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
      void this.handle(request, response);
    });
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.boundPort, this.options.host, resolve);
    });
    this.boundPort = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** Stops listening and cuts every connection: new ones are refused by the operating system. */
  async refuse(): Promise<void> {
    const { server } = this;
    if (!server) return;
    this.server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const watch of this.watches) watch.cut();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** Takes connections and answers nothing, except below `/sim`. */
  hang(on: boolean): void {
    this.hanging = on;
    if (on) for (const watch of this.watches) watch.silence();
    if (!on) for (const socket of this.sockets) if (!socket.destroyed) socket.destroy();
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://cluster');
    const method = request.method ?? 'GET';
    const exchange: Exchange = { request, response, method, path: url.pathname, query: url.searchParams };
    try {
      if (url.pathname.startsWith('/sim/')) return await this.serveAdmin(exchange);
      if (this.hanging) return;
      await this.serve(exchange);
    } catch (error) {
      if (response.headersSent || response.destroyed) {
        response.destroy();
        return;
      }
      const known =
        error instanceof ApiError
          ? error
          : new ApiError(
              500,
              'InternalError',
              `Internal error occurred: ${error instanceof Error ? error.message : String(error)}`,
            );
      const retry = known.status.details?.retryAfterSeconds;
      if (retry !== undefined) response.setHeader('retry-after', String(retry));
      reply(response, known.code, known.status);
    }
  }

  private authorize(request: IncomingMessage): void {
    const given = Buffer.from(request.headers.authorization ?? '');
    const wanted = Buffer.from(`Bearer ${this.options.token}`);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw unauthorized();
  }

  private async serveAdmin({ request, response, method, path }: Exchange): Promise<void> {
    this.authorize(request);
    const body = parseBody(await readBody(request), 'application/json');
    const answer = this.options.admin(method, path, body);
    if (!answer) throw noSuchPath();
    reply(response, answer.status, answer.body);
  }

  private async serve(exchange: Exchange): Promise<void> {
    const { request, response, method, path, query } = exchange;
    if (!OPEN_PATHS.has(path)) this.authorize(request);
    const watching =
      method === 'GET' && query.get('watch') !== null && !['false', '0'].includes(query.get('watch')!);
    const { faults } = this.options;
    const effects = faults.strike(method, path, (effect) => canStrike(effect, method, path, watching));
    if (await sufferFaults(effects, faults, request, response)) return;
    if (/^\/(healthz|livez|readyz)(\/|$)/.test(path)) {
      response.end('ok');
      return;
    }
    const discovered = method === 'GET' ? discover(path) : undefined;
    if (discovered) return reply(response, 200, discovered);
    const review = method === 'POST' ? await this.review(exchange) : undefined;
    if (review) return reply(response, 201, review);
    const route = parseRoute(path);
    if (watching) return this.watch(exchange, route, effects);
    if (route.kind === PODS && route.subresource === 'log' && method === 'GET') {
      return serveLogs(response, this.options.store, this.options.clock, route, query);
    }
    const contentType = (request.headers['content-type'] ?? '').split(';')[0]!.trim();
    const body = WRITES.has(method) ? parseBody(await readBody(request), contentType) : undefined;
    const userAgent = request.headers['user-agent'] ?? 'unknown';
    const answer = this.operations.perform({ ...route, method, query, contentType, body, userAgent });
    if (effects.some((effect) => effect.kind === 'reset' && effect.when === 'after')) {
      response.destroy();
      return;
    }
    reply(response, answer.status, withoutSome(answer.body, effects));
  }

  private watch({ response, query }: Exchange, route: Route, effects: FaultEffect[]): void {
    const { store, bookmarkIntervalMs } = this.options;
    const stream = new WatchStream(response, { store, query, bookmarkIntervalMs, ...route });
    this.watches.add(stream);
    response.on('close', () => this.watches.delete(stream));
    for (const effect of effects) {
      if (effect.kind === 'drop-watch') setTimeout(() => stream.cut(), effect.afterMs).unref();
      if (effect.kind === 'silent-watch') setTimeout(() => stream.silence(), effect.afterMs).unref();
    }
    stream.start();
  }

  /** Whoever holds the token may do everything, and is told so. */
  private async review({ path, request }: Exchange): Promise<object | undefined> {
    if (!/^\/apis\/authorization\.k8s\.io\/v1\/self(subjectaccess|subjectrules)reviews$/.test(path))
      return undefined;
    const body = parseBody(await readBody(request), 'application/json') as object;
    return { ...body, status: { allowed: true, reason: 'the token of this cluster allows everything' } };
  }
}

const reply = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};
