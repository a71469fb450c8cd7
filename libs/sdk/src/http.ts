import { ApiError, type ProblemFault, UnreachableError } from './errors.ts';

export type RequestOptions = {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  body?: unknown;
  /** Named once by the caller, sent with every try: the effect happens once however many tries it takes. */
  idempotencyKey?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

export type TransportOptions = {
  origin: string;
  /** The value of the Authorization header, asked for at every try. */
  authorization: () => Promise<string | undefined>;
  fetch?: typeof fetch;
  /** How long to go on trying while there is no usable answer, milliseconds. */
  deadlineMs?: number;
  /** One try, milliseconds. */
  attemptMs?: number;
};

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/** The request was not taken: the same request may be sent again. */
const RETRIED = new Set([429, 502, 503, 504]);

const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      },
      { once: true },
    );
  });

/**
 * Sends requests and tries again where that is safe: reads always, writes only under an idempotency key. Pauses grow
 * and are jittered, within one deadline for the whole request.
 */
export class Transport {
  private readonly fetch: typeof fetch;
  private readonly deadlineMs: number;
  private readonly attemptMs: number;

  constructor(private readonly options: TransportOptions) {
    this.fetch = options.fetch ?? fetch;
    this.deadlineMs = options.deadlineMs ?? 30_000;
    this.attemptMs = options.attemptMs ?? 15_000;
  }

  get origin(): string {
    return this.options.origin;
  }

  /** @throws ApiError what the platform refused; UnreachableError when it gave no usable answer in time */
  async json<T>(path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.send(path, options);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  async text(path: string, options: RequestOptions = {}): Promise<string> {
    return (await this.send(path, options)).text();
  }

  /** The open response of a stream: no deadline on its body. */
  async stream(path: string, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
    return this.send(path, { headers, ...(signal === undefined ? {} : { signal }) }, true);
  }

  private async send(path: string, options: RequestOptions, streaming = false): Promise<Response> {
    const method = options.method ?? 'GET';
    const safe = method !== 'POST' || options.idempotencyKey !== undefined;
    const end = Date.now() + this.deadlineMs;
    let wait = FIRST_PAUSE_MS;
    for (;;) {
      let failure: unknown;
      try {
        const response = await this.once(path, method, options, streaming);
        if (response.ok) return response;
        const error = await toError(response);
        const inProgress = response.status === 409 && error.code === 'request_in_progress';
        if (!RETRIED.has(response.status) && !inProgress) throw error;
        failure = error;
      } catch (error) {
        if (error instanceof ApiError && error !== failure && !RETRIED.has(error.status)) throw error;
        if (options.signal?.aborted) throw error;
        failure = error;
      }
      if (!safe || Date.now() + wait > end) {
        throw failure instanceof ApiError ? failure : new UnreachableError(this.origin, failure);
      }
      await pause(wait * (0.5 + Math.random() / 2), options.signal);
      wait = Math.min(wait * 2, LONGEST_PAUSE_MS);
    }
  }

  private async once(path: string, method: string, options: RequestOptions, streaming: boolean): Promise<Response> {
    const authorization = await this.options.authorization();
    const headers: Record<string, string> = { accept: 'application/json', ...options.headers };
    if (authorization !== undefined) headers['authorization'] = authorization;
    if (options.body !== undefined) headers['content-type'] = 'application/json';
    if (options.idempotencyKey !== undefined) headers['idempotency-key'] = options.idempotencyKey;
    const signals = [
      ...(options.signal ? [options.signal] : []),
      ...(streaming ? [] : [AbortSignal.timeout(this.attemptMs)]),
    ];
    return this.fetch(`${this.origin}${path}`, {
      method,
      headers,
      redirect: 'error',
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
    });
  }
}

const toError = async (response: Response): Promise<ApiError> => {
  const text = await response.text();
  try {
    return new ApiError(response.status, JSON.parse(text) as { errors?: ProblemFault[] });
  } catch {
    return new ApiError(response.status, { detail: text.slice(0, 300) });
  }
};
