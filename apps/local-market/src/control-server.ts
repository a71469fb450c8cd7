import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RunningProvider } from './market-provider.ts';

export type ControlServer = {
  readonly url: string;
  readonly token: string;
  close(): Promise<void>;
};

const reply = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

/**
 * The switch of the market, on the loopback with a token: `GET /health`, `GET /providers`,
 * `POST /providers/<name or key>/kill`, `.../revive`, `POST /stop`.
 */
export const startControlServer = async (options: {
  providers: readonly RunningProvider[];
  ready: () => boolean;
  stop: () => void;
}): Promise<ControlServer> => {
  const token = randomBytes(32).toString('base64url');
  const wanted = Buffer.from(`Bearer ${token}`);

  const authorized = (request: IncomingMessage): boolean => {
    const given = Buffer.from(request.headers.authorization ?? '');
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!authorized(request)) return reply(response, 401, { error: 'the token of market.json is needed' });
    const [, what, name = '', action] = (request.url ?? '/').split('/');
    const asked = `${request.method} /${what}`;
    if (asked === 'GET /health') return reply(response, 200, { status: options.ready() ? 'up' : 'starting' });
    if (asked === 'GET /providers')
      return reply(
        response,
        200,
        options.providers.map(({ view }) => view),
      );
    if (asked === 'POST /stop') {
      reply(response, 202, { status: 'stopping' });
      return options.stop();
    }
    if (asked === 'POST /providers' && (action === 'kill' || action === 'revive')) {
      const decoded = decodeURIComponent(name);
      const provider = options.providers.find(({ view }) => view.name === decoded || view.key === decoded);
      if (!provider) return reply(response, 404, { error: `there is no provider "${decoded}"` });
      await provider[action]();
      return reply(response, 200, provider.view);
    }
    reply(response, 404, { error: `there is no ${asked}` });
  };

  const server = createServer((request, response) => {
    request.resume();
    handle(request, response).catch((error: Error) => {
      if (response.headersSent) response.destroy();
      else reply(response, 500, { error: error.message });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
};
