/** An API server's refusal, or the lack of an answer. */
export class KubernetesError extends Error {
  /** HTTP status; 0 when there was no answer (no connection, deadline, or an answer that is not what it should be). */
  readonly status: number;
  /** The machine-readable `reason` of the Status object, empty when there was none. */
  readonly reason: string;
  readonly retryAfterMs: number | null;

  constructor(
    status: number,
    reason: string,
    message: string,
    options: { retryAfterMs?: number | null; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'KubernetesError';
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

export const noAnswer = (message: string, cause?: unknown): KubernetesError =>
  new KubernetesError(0, 'NoAnswer', message, { cause });

export const isNotFound = (error: unknown): boolean =>
  error instanceof KubernetesError && error.status === 404;
export const isGone = (error: unknown): boolean => error instanceof KubernetesError && error.status === 410;

/** May pass when asked again: no answer, overload, a fault of the server, or an edit that came in between. */
export const isTransient = (error: unknown): boolean =>
  error instanceof KubernetesError &&
  (error.status === 0 ||
    error.status === 408 ||
    error.status === 409 ||
    error.status === 429 ||
    error.status >= 500);

/**
 * Says nothing about the object, only that this platform gets no work done at that cluster: no answer, a server in
 * trouble, or credentials that no longer serve.
 */
export const isAboutTheCluster = (error: unknown): boolean =>
  isTransient(error) ||
  (error instanceof KubernetesError &&
    (error.status === 401 ||
      (error.status === 403 &&
        /\bcannot (get|list|watch|create|patch|update|delete)\b/.test(error.message))));
