import { type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { ClusterAccess } from './kubeconfig.ts';
import { KubernetesError, noAnswer } from './kubernetes-error.ts';

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

export type Call = {
  readonly method: 'GET' | 'PATCH' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: string;
  readonly contentType?: string;
  /** Until the whole answer is there; for streams, until it begins. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
};

const urlOf = (server: string, { path, query = {} }: Call): URL => {
  const url = new URL(server + path);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
};

const readAll = async (answer: IncomingMessage, limit: number): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > limit) {
      answer.destroy();
      throw noAnswer(`the answer is larger than ${limit} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const errorOf = async (answer: IncomingMessage): Promise<KubernetesError> => {
  const status = answer.statusCode ?? 0;
  const text = await readAll(answer, MAX_ERROR_BYTES).catch(() => '');
  const seconds = Number(answer.headers['retry-after']);
  const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : null;
  let reason = '';
  let message = text.slice(0, 500);
  try {
    const body = JSON.parse(text) as { reason?: unknown; message?: unknown } | null;
    if (typeof body?.reason === 'string') reason = body.reason;
    if (typeof body?.message === 'string') message = body.message;
  } catch {
    // Proxies in front of an API server answer in their own words.
  }
  return new KubernetesError(status, reason, message || `status ${status}`, { retryAfterMs });
};

/**
 * HTTP to one API server: kept connections, a deadline on every call, no silent retry. Bodies go as they are: what is
 * applied must not lose fields that a client library does not know.
 */
export class ClusterHttp {
  constructor(private readonly access: ClusterAccess) {}

  /** @throws KubernetesError for every answer that is not 2xx, and for none */
  async call(call: Call): Promise<unknown> {
    const deadline = AbortSignal.timeout(call.deadlineMs);
    const signal = call.signal ? AbortSignal.any([call.signal, deadline]) : deadline;
    const answer = await this.open(call, signal);
    try {
      if (!isSuccess(answer)) throw await errorOf(answer);
      const text = await readAll(answer, MAX_ANSWER_BYTES);
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw error instanceof KubernetesError ? error : noAnswer(describe(error, call), error);
    }
  }

  /**
   * Begins an answer that goes on (a watch, a log). The deadline holds until it begins; then `signal` alone ends it.
   * @throws KubernetesError
   */
  async stream(call: Call): Promise<IncomingMessage> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error('deadline')), call.deadlineMs);
    const signal = call.signal ? AbortSignal.any([call.signal, late.signal]) : late.signal;
    try {
      const answer = await this.open(call, signal);
      if (!isSuccess(answer)) throw await errorOf(answer);
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.access.agent.destroy();
  }

  private open(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const url = urlOf(this.access.server, call);
    const headers: Record<string, string | number> = {
      accept: 'application/json',
      'user-agent': 'gridbourse-orchestrator',
      ...this.access.headers,
    };
    if (call.body !== undefined) {
      headers['content-type'] = call.contentType ?? 'application/json';
      headers['content-length'] = Buffer.byteLength(call.body);
    }
    const options: RequestOptions = { method: call.method, headers, agent: this.access.agent, signal };
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, resolve);
      request.on('error', (error) => reject(noAnswer(describe(error, call), error)));
      request.end(call.body);
    });
  }
}

const isSuccess = ({ statusCode = 0 }: IncomingMessage): boolean => statusCode >= 200 && statusCode < 300;
const describe = (error: unknown, { method, path }: Call): string =>
  `${method} ${path}: ${error instanceof Error ? error.message : String(error)}`;
