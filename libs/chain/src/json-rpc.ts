import { DomainError } from '@gridbourse/kernel';

/** The node answered, and the answer is an error: it did not do what was asked. */
export class RpcError extends Error {
  readonly code: number;
  readonly data: unknown;
  readonly method: string;

  constructor(method: string, error: { code: number; message: string; data?: unknown }) {
    super(error.message);
    this.name = 'RpcError';
    this.method = method;
    this.code = error.code;
    this.data = error.data;
  }
}

/** No answer, or none that can be read. Whether the node did what was asked is unknown. */
export const rpcUnavailable = (method: string, cause: unknown): DomainError =>
  new DomainError('unavailable', 'rpc_unavailable', `the chain's RPC gave no answer to ${method}`, { cause });

export const isRpcUnavailable = (error: unknown): boolean =>
  error instanceof DomainError && error.code === 'rpc_unavailable';

export type RpcCall = readonly [method: string, params: readonly unknown[]];

/** The one door to a node: everything in this library that talks to a chain takes one of these. */
export interface Rpc {
  /** @throws RpcError when the node answers with an error; DomainError `rpc_unavailable` when it does not answer. */
  send(method: string, params: readonly unknown[]): Promise<unknown>;
  /**
   * Several calls in one request, answered in order. An RpcError takes the place of the result of its call.
   * @throws DomainError `rpc_unavailable`
   */
  batch(calls: readonly RpcCall[]): Promise<unknown[]>;
}

type Answer = { id?: unknown; result?: unknown; error?: { code: number; message: string; data?: unknown } };

const MAX_CALLS_PER_REQUEST = 200;

/** JSON-RPC 2.0 over HTTP with a deadline for each request, and no retries of its own: those are the caller's to judge. */
export class HttpRpc implements Rpc {
  readonly url: string;
  private readonly timeoutMs: number;
  private nextId = 1;

  constructor(url: string, options: { timeoutMs?: number } = {}) {
    this.url = url;
    this.timeoutMs = options.timeoutMs ?? 10_000;
  }

  async send(method: string, params: readonly unknown[]): Promise<unknown> {
    const answer = (await this.post(method, this.request(method, params))) as Answer | null;
    if (typeof answer !== 'object' || answer === null)
      throw rpcUnavailable(method, new Error('not an answer'));
    return resultOf(method, answer);
  }

  async batch(calls: readonly RpcCall[]): Promise<unknown[]> {
    const results: unknown[] = [];
    for (let from = 0; from < calls.length; from += MAX_CALLS_PER_REQUEST) {
      results.push(...(await this.postBatch(calls.slice(from, from + MAX_CALLS_PER_REQUEST))));
    }
    return results;
  }

  private async postBatch(calls: readonly RpcCall[]): Promise<unknown[]> {
    const what = `a batch of ${calls[0]![0]}`;
    const requests = calls.map(([method, params]) => this.request(method, params));
    const answers = await this.post(what, requests);
    if (!Array.isArray(answers)) throw rpcUnavailable(what, new Error('not a batch of answers'));
    const byId = new Map((answers as Answer[]).map((answer) => [answer.id, answer]));
    return requests.map((request) => {
      const answer = byId.get(request.id);
      if (!answer) throw rpcUnavailable(what, new Error('an answer is missing'));
      try {
        return resultOf(request.method, answer);
      } catch (error) {
        if (error instanceof RpcError) return error;
        throw error;
      }
    });
  }

  private request(method: string, params: readonly unknown[]) {
    return { jsonrpc: '2.0', id: this.nextId++, method, params };
  }

  private async post(what: string, body: unknown): Promise<unknown> {
    try {
      const response = await fetch(this.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(this.timeoutMs),
      });
      const answer: unknown = await response.json();
      // A gateway in front of a node that is away, or a limit: whatever it says, it does not speak for the chain.
      if (response.status >= 500 || response.status === 429) throw new Error(`HTTP ${response.status}`);
      return answer;
    } catch (error) {
      throw rpcUnavailable(what, error);
    }
  }
}

const resultOf = (method: string, answer: Answer): unknown => {
  if (answer.error) throw new RpcError(method, answer.error);
  if (!('result' in answer)) throw rpcUnavailable(method, new Error('neither result nor error'));
  return answer.result;
};

/** The error that took a result's place in a batch, thrown. */
export const unwrap = (result: unknown): unknown => {
  if (result instanceof RpcError) throw result;
  return result;
};

export const quantity = (value: number | bigint): string => `0x${value.toString(16)}`;
