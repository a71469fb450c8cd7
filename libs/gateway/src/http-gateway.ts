import type { ServiceOpenApi } from '@gridbourse/api';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { DOCS_PAGE, docsAsset } from './docs-page.ts';
import { eventDocument } from './event-documents.ts';
import type { GatewayService } from './gateway-service.ts';
import { mergeOpenApi } from './openapi-merge.ts';
import { answerProblem } from './problem.ts';

/** What every service has under one and the same path. */
const SERVICE_PATH = /^\/services\/([a-z-]+)(\/(?:health\/live|health\/ready|metrics|ops\/.{1,500}))$/;

const INFO = { title: 'Gridbourse', version: '1', description: 'A GPU compute exchange.' };

export type Links = Readonly<Record<string, string>>;

/** One origin for all services: a request goes straight to the service that owns its path. */
export class HttpGateway {
  private readonly server: Server;
  private merged: { of: readonly ServiceOpenApi[]; text: string } | undefined;

  constructor(
    private readonly services: readonly GatewayService[],
    private readonly links: Links,
  ) {
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
    const owner = this.ownerOf(path);
    if (owner) return owner.handle(request, response);

    const inner = SERVICE_PATH.exec(path);
    const service = inner && this.services.find(({ name }) => name === inner[1]);
    if (service) {
      request.url = inner[2]! + request.url!.slice(path.length);
      return service.handle(request, response);
    }
    const send = (status: number, type: string, body: string | Buffer): void => {
      response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' });
      response.end(body);
    };
    if (path === '/openapi.json') return send(200, 'application/json', this.openApi());
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
    const unknown = this.services.filter(({ publicPaths }) => publicPaths === null).map(({ name }) => name);
    if (unknown.length > 0) {
      const detail = `${unknown.join(', ')} has not answered yet, and may serve this path; try again in a moment`;
      const problem = {
        status: 503,
        title: 'Not available now',
        code: 'service_not_known_yet',
        detail,
        path,
      };
      return answerProblem(response, problem, { 'retry-after': '1' });
    }
    const detail = `nothing is served at ${path}; see /docs`;
    answerProblem(response, { status: 404, title: 'Not found', code: 'no_such_route', detail, path });
  }

  /** The service with the longest prefix of the path. */
  private ownerOf(path: string): GatewayService | undefined {
    let best: { length: number; service: GatewayService } | undefined;
    for (const service of this.services) {
      for (const prefix of service.publicPaths ?? []) {
        const fits = path === prefix || path.startsWith(`${prefix}/`);
        if (fits && prefix.length > (best?.length ?? 0)) best = { length: prefix.length, service };
      }
    }
    return best?.service;
  }

  /** Of all services that are known; merged anew only when one of the documents is another. */
  private openApi(): string {
    const documents = this.services.map((service) => service.openApi()).filter((one) => one !== null);
    const { merged } = this;
    const same = merged?.of.length === documents.length && documents.every((one, i) => one === merged.of[i]);
    if (!merged || !same) {
      this.merged = { of: documents, text: JSON.stringify(mergeOpenApi(INFO, documents)) };
    }
    return this.merged!.text;
  }
}
