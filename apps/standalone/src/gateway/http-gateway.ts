import type { RunningService } from '@gridbourse/api';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { DOCS_PAGE, docsAsset } from './docs-page.ts';
import { eventDocument } from './event-documents.ts';
import { mergeOpenApi } from './openapi-merge.ts';

const SERVICE_PATH = /^\/services\/([a-z-]+)(\/(?:health\/live|health\/ready|metrics))$/;

export type Links = Readonly<Record<string, string>>;

/** One origin for all services: a request goes straight to the router of the service that owns its path. */
export class HttpGateway {
  private readonly server: Server;
  private readonly openApi: string;
  private readonly routes: { prefix: string; service: RunningService }[];

  constructor(
    private readonly services: readonly RunningService[],
    private readonly links: Links,
  ) {
    this.routes = services
      .flatMap((service) => service.publicPaths.map((prefix) => ({ prefix, service })))
      .sort((a, b) => b.prefix.length - a.prefix.length);
    this.openApi = JSON.stringify(
      mergeOpenApi(
        { title: 'Gridbourse', version: '1', description: 'A GPU compute exchange.' },
        services.map((service) => service.openApi()),
      ),
    );
    this.server = createServer((request, response) => void this.route(request, response));
    this.server.requestTimeout = 120_000;
    this.server.headersTimeout = 20_000;
  }

  listen(port: number, host = '127.0.0.1'): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => resolve());
    });
  }

  /** Takes no new requests, gives those in hand a moment, then cuts what is left (open streams). */
  close(graceMs = 1_000): Promise<void> {
    return new Promise((resolve) => {
      const cut = setTimeout(() => this.server.closeAllConnections(), graceMs);
      this.server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      this.server.closeIdleConnections();
    });
  }

  private async route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0]!;
    const own = this.routes.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`));
    if (own) return own.service.handle(request, response);

    const inner = SERVICE_PATH.exec(path);
    const service = inner && this.services.find(({ name }) => name === inner[1]);
    if (service) {
      request.url = inner[2]!;
      return service.handle(request, response);
    }
    const send = (status: number, type: string, body: string | Buffer): void => {
      response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' });
      response.end(body);
    };
    if (path === '/openapi.json') return send(200, 'application/json', this.openApi);
    if (path === '/docs' || path === '/docs/') return send(200, 'text/html; charset=utf-8', DOCS_PAGE);
    const asset = path.startsWith('/docs/') ? docsAsset(path.slice('/docs/'.length)) : undefined;
    if (asset) return send(200, asset.type, asset.body);
    const events = eventDocument(path);
    if (events) return send(200, events.type, events.body);
    if (path === '/')
      return send(200, 'application/json', JSON.stringify({ name: 'Gridbourse', ...this.links }, null, 2));
    if (path === '/health/live') return send(200, 'application/json', JSON.stringify({ status: 'live' }));
    if (path === '/health/ready') {
      const reports = await Promise.all(this.services.map(async (s) => [s.name, await s.ready()] as const));
      const ready = reports.every(([, report]) => report.ready);
      const body = JSON.stringify({
        status: ready ? 'ready' : 'not_ready',
        services: Object.fromEntries(reports),
      });
      return send(ready ? 200 : 503, 'application/json', body);
    }
    send(
      404,
      'application/problem+json',
      JSON.stringify({
        type: 'https://gridbourse.dev/problems/no_such_route',
        title: 'Not found',
        status: 404,
        detail: `nothing is served at ${path}; see /docs`,
        instance: path,
        code: 'no_such_route',
        requestId: 'unknown',
        errors: [],
      }),
    );
  }
}
