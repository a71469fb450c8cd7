/** One fault of a refused request, with its place. */
export type ProblemFault = { pointer: string; message: string; line?: number; column?: number };

/** What the platform answered instead of a result (RFC 9457). */
export class ApiError extends Error {
  readonly status: number;
  /** Stable and snake_case: branch on this. */
  readonly code: string;
  readonly title: string;
  readonly requestId: string;
  readonly errors: readonly ProblemFault[];

  constructor(status: number, problem: Partial<{ code: string; title: string; detail: string; requestId: string; errors: ProblemFault[] }>) {
    super(problem.detail ?? problem.title ?? `the platform answered ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.code = problem.code ?? 'unknown';
    this.title = problem.title ?? '';
    this.requestId = problem.requestId ?? '';
    this.errors = problem.errors ?? [];
  }
}

/** No answer at all within the deadline, whatever was tried. */
export class UnreachableError extends Error {
  constructor(origin: string, cause: unknown) {
    super(`${origin} does not answer`, { cause });
    this.name = 'UnreachableError';
  }
}
