import { type Clock, type Random, systemClock, systemRandom } from '@gridbourse/kernel';
import { ApiError, UnreachableError } from './errors.ts';
import { backoffMs, pause } from './pause.ts';

export type RequestOptions = {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  body?: unknown;
  /** Named once by the caller, sent with every try: the effect happens once however many tries it takes. */
  idempotencyKey?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** How long the platform may take on purpose before it answers, milliseconds; added to every limit. */
  expectedMs?: number;
};

export type TransportOptions = {
  origin: string;
  /** The value of the Authorization header, asked for at every try. */
  authorization: () => Promise<string | undefined>;
  /** Called when the platform does not accept it; true when there is a new one to try. */
  renewAuthorization?: () => Promise<boolean>;
  fetch?: typeof fetch;
  clock?: Clock;
  random?: Random;
  /** How long to go on trying while there is no usable answer, milliseconds. */
  deadlineMs?: number;
  /** One try, milliseconds. */
  attemptMs?: number;
};

/** The platform says that it has not taken the request: any request may be sent again. */
const NOT_TAKEN = new Set([429, 503]);
/** Something between us and the platform broke: what happened is not known. */
const AMBIGUOUS = new Set([502, 504]);
/** No connection was made, so nothing was sent. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);

/**
 * Sends requests and tries again where that is safe: reads always, writes only under an idempotency key or when it is sure
 * that nothing happened. Pauses grow, are jittered and honour Retry-After, within one deadline for the whole request.
 */
export class Transport {
  readonly clock: Clock;
  readonly random: Random;
  private readonly fetch: typeof fetch;
  private readonly deadlineMs: number;
  private readonly attemptMs: number;

  constructor(private readonly options: TransportOptions) {
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? systemRandom;
    this.fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.deadlineMs = options.deadlineMs ?? 30_000;
    this.attemptMs = options.attemptMs ?? 15_000;
  }

  get origin(): string {
    return this.options.origin;
  }

  /** @throws ApiError what the platform refused; UnreachableError when it gave no usable answer in time */
  async json<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return this.send(path, options, async (response) => {
      const text = await response.text();
      if (text === '') return undefined as T;
      try {
        return JSON.parse(text) as T;
      } catch {
        throw new ApiError(response.status, {
          code: 'unreadable_answer',
          detail: 'the answer is not JSON: is this the address of the platform?',
        });
      }
    });
  }

  /** @throws ApiError, UnreachableError */
  async text(path: string, options: RequestOptions = {}): Promise<string> {
    return this.send(path, options, (response) => response.text());
  }

  /** The open response of a stream; the limits end where its body begins. @throws ApiError, UnreachableError */
  async stream(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    return this.send(path, { headers, signal }, (response) => Promise.resolve(response));
  }

  private async send<T>(
    path: string,
    options: RequestOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const method = options.method ?? 'GET';
    const repeatable = method !== 'POST' || options.idempotencyKey !== undefined;
    const end = this.clock.now() + this.deadlineMs + (options.expectedMs ?? 0);
    let renewed = false;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.attempt(path, method, options, end, read);
      if (outcome.ok) return outcome.value;
      const { error } = outcome;
      if (options.signal?.aborted) throw options.signal.reason;
      if (error instanceof ApiError) {
        // The try before this one did it, and its answer was lost.
        if (error.status === 404 && method === 'DELETE' && attempt > 1) return undefined as T;
        if (error.status === 401 && !renewed) {
          renewed = true;
          if ((await this.options.renewAuthorization?.()) === true) continue;
        }
      }
      if (!mayTryAgain(error, repeatable)) throw this.asFailure(error);
      const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
      const wait = Math.max(asked, backoffMs(attempt, this.random.next()));
      if (this.clock.now() + wait >= end) throw this.asFailure(error);
      await pause(wait, options.signal);
    }
  }

  private asFailure(error: unknown): Error {
    return error instanceof ApiError ? error : new UnreachableError(this.origin, error);
  }

  private async attempt<T>(
    path: string,
    method: string,
    options: RequestOptions,
    end: number,
    read: (response: Response) => Promise<T>,
  ): Promise<{ ok: true; value: T } | { ok: false; error: unknown }> {
    // Asked for outside of the try: a refused renewal is the answer, not a fault of the network.
    const headers = await this.headersOf(options);
    const timeout = new AbortController();
    const left = Math.max(1, end - this.clock.now());
    const limit = Math.min(this.attemptMs + (options.expectedMs ?? 0), left);
    const timer = setTimeout(() => timeout.abort(new Error(`no answer within ${limit} ms`)), limit);
    try {
      const response = await this.fetch(`${this.origin}${path}`, {
        method,
        headers,
        redirect: 'error',
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
        signal: options.signal ? AbortSignal.any([options.signal, timeout.signal]) : timeout.signal,
      });
      if (!response.ok) return { ok: false, error: await toError(response, this.clock) };
      return { ok: true, value: await read(response) };
    } catch (error) {
      return { ok: false, error };
    } finally {
      clearTimeout(timer);
    }
  }

  private async headersOf(options: RequestOptions): Promise<Record<string, string>> {
    const authorization = await this.options.authorization();
    return {
      accept: 'application/json',
      ...(authorization === undefined ? {} : { authorization }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(options.idempotencyKey === undefined ? {} : { 'idempotency-key': options.idempotencyKey }),
      ...options.headers,
    };
  }
}

const mayTryAgain = (error: unknown, repeatable: boolean): boolean => {
  if (error instanceof ApiError) {
    if (NOT_TAKEN.has(error.status)) return true;
    if (error.status === 409 && error.code === 'request_in_progress') return true;
    return repeatable && AMBIGUOUS.has(error.status);
  }
  return repeatable || NEVER_SENT.has(codeOf(error));
};

const codeOf = (error: unknown): string => {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const { code } = (cause ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
};

const toError = async (response: Response, clock: Clock): Promise<ApiError> => {
  const text = await response.text();
  const retryAfterMs = readRetryAfter(response.headers.get('retry-after'), clock);
  try {
    const problem: unknown = JSON.parse(text);
    if (typeof problem === 'object' && problem !== null) {
      return new ApiError(response.status, problem, retryAfterMs);
    }
  } catch {
    // Not ours: a proxy's page.
  }
  return new ApiError(response.status, { title: text.slice(0, 300) }, retryAfterMs);
};

/** Seconds or an HTTP date (RFC 9110, 10.2.3). */
const readRetryAfter = (header: string | null, clock: Clock): number | null => {
  if (header === null) return null;
  if (/^\d{1,6}$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - clock.now());
};
