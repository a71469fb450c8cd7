import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { TransactionJournal } from './journal.ts';

const BODY_LIMIT_BYTES = 4 * 1_048_576;
const UPSTREAM_DEADLINE_MS = 30_000;
/** What anyone on this machine may ask of the chain: wallets' methods, not the node's cheat codes. */
const ALLOWED = /^(eth|net|web3)_[A-Za-z0-9]+$/;
const REFUSED = new Set(['eth_sendTransaction', 'eth_sign', 'eth_signTransaction', 'eth_signTypedData']);

type Call = { id?: unknown; method?: unknown; params?: unknown };

const rpcError = (id: unknown, code: number, message: string): object => ({
  jsonrpc: '2.0',
  id: id ?? null,
  error: { code, message },
});

const read = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT_BYTES) throw new RangeError('the request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

/** The chain's public door: journals every signed transaction before the chain gets it, and keeps admin methods out. */
export class RpcFront {
  private readonly server: Server;

  constructor(
    private readonly upstream: () => string,
    private readonly journal: TransactionJournal,
  ) {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', () => resolve());
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, body: string): void => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'access-control-allow-origin': '*',
        'access-control-allow-headers': 'content-type',
      });
      response.end(body);
    };
    try {
      if (request.method === 'OPTIONS') return send(204, '');
      if (request.method !== 'POST')
        return send(405, JSON.stringify(rpcError(null, -32600, 'expected POST')));
      const text = await read(request);
      const parsed = JSON.parse(text) as Call | Call[];
      const calls = Array.isArray(parsed) ? parsed : [parsed];
      for (const call of calls) {
        const method = typeof call.method === 'string' ? call.method : '';
        if (!ALLOWED.test(method) || REFUSED.has(method)) {
          return send(
            200,
            JSON.stringify(rpcError(call.id, -32601, `the method ${method} is not offered here`)),
          );
        }
        const raw: unknown = Array.isArray(call.params) ? call.params[0] : undefined;
        if (method === 'eth_sendRawTransaction' && typeof raw === 'string') this.journal.append(raw);
      }
      const answer = await fetch(this.upstream(), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: text,
        signal: AbortSignal.timeout(UPSTREAM_DEADLINE_MS),
      });
      send(answer.status, await answer.text());
    } catch (error) {
      if (response.headersSent) return void response.end();
      if (error instanceof SyntaxError) return send(400, JSON.stringify(rpcError(null, -32700, 'not JSON')));
      if (error instanceof RangeError)
        return send(413, JSON.stringify(rpcError(null, -32600, error.message)));
      send(503, JSON.stringify(rpcError(null, -32000, 'the chain does not answer')));
    }
  }
}
