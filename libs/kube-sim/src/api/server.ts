import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from '@gridbourse/kernel';
import type { FaultEffect, FaultPlan } from '../faults.ts';
import { DEPLOYMENTS, NAMESPACES, PODS, type ResourceKind, SERVICE_ACCOUNTS } from '../kinds.ts';
import type { Fields, KubeObject, Namespace } from '../objects.ts';
import type { ObjectStore } from '../storage/store.ts';
import { parseBody, readBody } from './body.ts';
import { discover } from './discovery.ts';
import { listObjects } from './list.ts';
import { serveLogs } from './logs.ts';
import { patchObject } from './patch.ts';
import { parseRoute, type Route } from './route.ts';
import { scaleOf } from './scale.ts';
import { matcherOf } from './selectors.ts';
import {
  ApiError,
  badRequest,
  conflict,
  methodNotAllowed,
  MODIFIED,
  noSuchPath,
  notFound,
  success,
  unauthorized,
} from './status.ts';
import { WatchStream } from './watch.ts';
import { type DeleteOptions, randomSuffix, type ResourceWriter } from './writer.ts';

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
  private boundPort: number;
  private hanging = false;

  constructor(options: ApiServerOptions) {
    this.options = options;
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
    const effects = this.options.faults.strike(method, path, (effect) =>
      applies(effect, method, path, watching),
    );
    if (await this.suffer(effects, exchange)) return;
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
    const { status, body } = await this.answer(exchange, route);
    if (effects.some((effect) => effect.kind === 'reset' && effect.when === 'after')) {
      response.destroy();
      return;
    }
    const partial = effects.find((effect) => effect.kind === 'partial-list');
    reply(response, status, partial ? this.lossy(body, partial.keep) : body);
  }

  /** True when the request is over already. */
  private async suffer(effects: FaultEffect[], { request, response }: Exchange): Promise<boolean> {
    for (const effect of effects) {
      if (effect.kind === 'latency') {
        const ms = effect.ms + this.options.faults.chance() * (effect.jitterMs ?? 0);
        await new Promise((resolve) => setTimeout(resolve, ms));
      }
    }
    for (const effect of effects) {
      if (effect.kind === 'hang') return true;
      if (effect.kind === 'reset' && effect.when === 'before') {
        request.socket.destroy();
        response.destroy();
        return true;
      }
      if (effect.kind === 'error') {
        const reasons: Record<number, string> = {
          429: 'TooManyRequests',
          500: 'InternalError',
          503: 'ServiceUnavailable',
          504: 'Timeout',
        };
        const retry = effect.retryAfterSeconds ?? (effect.status === 429 ? 1 : undefined);
        throw new ApiError(
          effect.status,
          reasons[effect.status] ?? 'Unknown',
          effect.status === 429
            ? 'the server has received too many requests and has asked us to try again later'
            : 'injected fault',
          retry === undefined ? undefined : { retryAfterSeconds: retry },
        );
      }
      if (effect.kind === 'conflict') throw conflict(DEPLOYMENTS, 'any', MODIFIED);
    }
    return false;
  }

  private lossy(body: unknown, keep: number): unknown {
    const list = body as { items?: unknown[] };
    if (!Array.isArray(list.items)) return body;
    return { ...list, items: list.items.slice(0, Math.floor(list.items.length * keep)) };
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

  private async answer(exchange: Exchange, route: Route): Promise<{ status: number; body: unknown }> {
    const { method, query, request } = exchange;
    const { kind, namespace, name, subresource } = route;
    const { store, writer } = this.options;
    const contentType = (request.headers['content-type'] ?? '').split(';')[0]!.trim();
    const body = WRITES.has(method) ? parseBody(await readBody(request), contentType) : undefined;
    const dryRun = query.get('dryRun') === 'All';
    const given = query.get('fieldManager');
    const manager = given ?? (request.headers['user-agent'] ?? 'unknown').split('/')[0]!;

    if (name === undefined) {
      if (method === 'GET') return { status: 200, body: listObjects(store, kind, namespace, query) };
      if (method === 'POST') {
        if (kind.namespaced && namespace === undefined) throw methodNotAllowed();
        return { status: 201, body: writer.create(kind, namespace, body, { manager, dryRun }) };
      }
      if (method === 'DELETE') return { status: 200, body: this.removeCollection(exchange, route, body) };
      throw methodNotAllowed();
    }
    if (subresource === 'scale' && kind.scaleSubresource) {
      return { status: 200, body: scaleOf(writer, kind, namespace, name, body, manager) };
    }
    if (subresource !== undefined && !(subresource === 'status' && kind.statusSubresource)) {
      return this.special(method, route, body);
    }
    if (method === 'GET') return { status: 200, body: existing(store, kind, namespace, name) };
    if (method === 'PUT') {
      return {
        status: 200,
        body: writer.update(
          kind,
          namespace,
          name,
          { object: body as Fields },
          { manager, dryRun, subresource },
        ),
      };
    }
    if (method === 'PATCH') {
      const force = query.get('force') === 'true';
      const nowMs = this.options.clock.now();
      const managerGiven = given !== null && given !== '';
      const patch = {
        kind,
        namespace,
        name,
        subresource,
        contentType,
        body,
        manager,
        managerGiven,
        force,
        dryRun,
        nowMs,
      };
      const { object, created } = patchObject(writer, patch);
      return { status: created ? 201 : 200, body: object };
    }
    if (method === 'DELETE' && subresource === undefined) {
      return { status: 200, body: this.remove(kind, namespace, name, deleteOptions(kind, query, body)) };
    }
    throw methodNotAllowed();
  }

  private remove(
    kind: ResourceKind,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ): unknown {
    const before = existing(this.options.store, kind, namespace, name);
    const left = this.options.writer.remove(kind, namespace, name, options);
    if (left) return left;
    return success({
      name,
      ...(kind.group === '' ? {} : { group: kind.group }),
      kind: kind.plural,
      uid: before.metadata.uid,
    });
  }

  private removeCollection({ query }: Exchange, { kind, namespace }: Route, body: unknown): unknown {
    if (kind.namespaced && namespace === undefined) throw methodNotAllowed();
    const { store, writer } = this.options;
    const matches = matcherOf(kind, query);
    const items = store.list(kind, namespace).filter(matches);
    for (const { metadata } of items)
      writer.remove(kind, metadata.namespace, metadata.name, deleteOptions(kind, query, body));
    return { ...listObjects(store, kind, namespace, new URLSearchParams()), items };
  }

  /** Subresources that are no view of their object. */
  private special(
    method: string,
    { kind, namespace, name, subresource }: Route,
    body: unknown,
  ): { status: number; body: unknown } {
    const { store, writer, clock } = this.options;
    const object = existing(store, kind, namespace, name!);
    if (kind === PODS && subresource === 'eviction' && method === 'POST') {
      writer.remove(kind, namespace, name!);
      return { status: 201, body: success({ name: name!, kind: 'pods' }) };
    }
    if (kind === NAMESPACES && subresource === 'finalize' && method === 'PUT') {
      const finalizers = (body as Namespace | undefined)?.spec?.finalizers ?? [];
      return { status: 200, body: store.put(kind, { ...object, spec: { finalizers } } as KubeObject) };
    }
    if (kind === SERVICE_ACCOUNTS && subresource === 'token' && method === 'POST') {
      const expirationTimestamp = new Date(clock.now() + 3_600_000).toISOString();
      const token = `${object.metadata.uid}.${randomSuffix(24)}`;
      return {
        status: 201,
        body: {
          ...(body as object),
          kind: 'TokenRequest',
          apiVersion: 'authentication.k8s.io/v1',
          metadata: {},
          status: { token, expirationTimestamp },
        },
      };
    }
    throw noSuchPath();
  }

  /** Whoever holds the token may do everything, and is told so. */
  private async review({ path, request }: Exchange): Promise<object | undefined> {
    if (!/^\/apis\/authorization\.k8s\.io\/v1\/self(subjectaccess|subjectrules)reviews$/.test(path))
      return undefined;
    const body = parseBody(await readBody(request), 'application/json') as object;
    return { ...body, status: { allowed: true, reason: 'the token of this cluster allows everything' } };
  }
}

const existing = (
  store: ObjectStore,
  kind: ResourceKind,
  namespace: string | undefined,
  name: string,
): KubeObject => {
  const object = store.get(kind, namespace, name);
  if (!object) throw notFound(kind, name);
  return object;
};

const applies = (effect: FaultEffect, method: string, path: string, watching: boolean): boolean => {
  switch (effect.kind) {
    case 'drop-watch':
    case 'silent-watch':
      return watching;
    case 'conflict':
      return method === 'PUT' || method === 'PATCH';
    case 'partial-list':
      return method === 'GET' && !watching && /^\/apis?\//.test(path);
    default:
      return true;
  }
};

const deleteOptions = (kind: ResourceKind, query: URLSearchParams, body: unknown): DeleteOptions => {
  const given = (body ?? {}) as DeleteOptions & { dryRun?: string[]; orphanDependents?: boolean };
  const grace = query.get('gracePeriodSeconds') ?? given.gracePeriodSeconds;
  const seconds = grace === undefined || grace === null ? undefined : Number(grace);
  if (seconds !== undefined && !Number.isInteger(seconds))
    throw badRequest('gracePeriodSeconds must be an integer');
  const orphan = query.get('orphanDependents') === 'true' || given.orphanDependents === true;
  const policy = (query.get('propagationPolicy') ??
    given.propagationPolicy ??
    (orphan ? 'Orphan' : undefined)) as DeleteOptions['propagationPolicy'] | undefined;
  if (policy !== undefined && !['Orphan', 'Background', 'Foreground'].includes(policy)) {
    throw badRequest(`invalid propagationPolicy "${policy}"`);
  }
  return {
    gracePeriodSeconds: seconds,
    // The batch API keeps its oldest habit: without a policy the pods of a job stay.
    propagationPolicy: policy ?? (kind.group === 'batch' ? 'Orphan' : undefined),
    preconditions: given.preconditions,
    dryRun: query.get('dryRun') === 'All' || given.dryRun?.includes('All') === true,
  };
};

const reply = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};
