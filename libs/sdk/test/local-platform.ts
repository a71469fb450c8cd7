import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Received = { method: string; path: string; headers: IncomingMessage['headers']; body: string };
export type Handler = (request: Received, response: ServerResponse, count: number) => void;

/** A real HTTP server that answers as a test says and remembers what it was asked. */
export class LocalPlatform {
  readonly received: Received[] = [];

  private constructor(
    private readonly server: Server,
    readonly origin: string,
  ) {}

  static async start(handler: Handler): Promise<LocalPlatform> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const platform = new LocalPlatform(server, `http://127.0.0.1:${port}`);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        const received = { method: request.method!, path: request.url!, headers: request.headers, body };
        platform.received.push(received);
        handler(received, response, platform.received.length);
      });
    });
    return platform;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

export const answer = (response: ServerResponse, status: number, body: unknown, headers = {}): void => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
};

export const problem = (response: ServerResponse, status: number, code: string, headers = {}): void =>
  answer(
    response,
    status,
    {
      type: 'about:blank',
      title: code.replaceAll('_', ' '),
      status,
      code,
      detail: `it is ${code}`,
      requestId: 'req_1',
    },
    { 'content-type': 'application/problem+json', ...headers },
  );
