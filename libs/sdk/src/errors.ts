/** One fault of a refused request, with its place. */
export type ProblemFault = { pointer: string; message: string; line?: number; column?: number };

/** The body of a refusal (RFC 9457). */
export type Problem = {
  type?: string;
  title?: string;
  detail?: string;
  instance?: string;
  code?: string;
  requestId?: string;
  errors?: ProblemFault[];
};

/** What the platform answered instead of a result. `message` is the problem's detail. */
export class ApiError extends Error {
  readonly status: number;
  /** Stable and snake_case: branch on this. */
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly requestId: string;
  readonly errors: readonly ProblemFault[];
  /** How long the platform asks to wait before the next try, milliseconds; null when it does not say. */
  readonly retryAfterMs: number | null;

  constructor(status: number, problem: Problem, retryAfterMs: number | null = null) {
    super(problem.detail ?? problem.title ?? `the platform answered ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.code = problem.code ?? 'unknown';
    this.title = problem.title ?? '';
    this.detail = this.message;
    this.requestId = problem.requestId ?? '';
    this.errors = Array.isArray(problem.errors) ? problem.errors : [];
    this.retryAfterMs = retryAfterMs;
  }
}

/** No usable answer within the deadline, whatever was tried. Whether a write took effect is not known. */
export class UnreachableError extends Error {
  constructor(origin: string, cause: unknown) {
    super(`${origin} does not answer`, { cause });
    this.name = 'UnreachableError';
  }
}
