/**
 * What the receiver of an error must do, which is all that code far from the fault needs to know:
 * - `invalid`: the request itself is wrong; fix it and send again
 * - `unauthenticated`: no valid proof of who is asking
 * - `forbidden`: known, and not allowed
 * - `not_found`: no such thing, or none the caller may see
 * - `conflict`: right request, wrong moment: the state does not allow it
 * - `exhausted`: a limit (rate, queue, spend) is reached; wait or raise it
 * - `unavailable`: a dependency is away; the same request may pass later
 * - `internal`: ours; an operator must look
 */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'exhausted'
  | 'unavailable'
  | 'internal';

/** One fault inside a request: where (a JSON pointer or a manifest path) and what was expected. */
export type Fault = {
  readonly pointer: string;
  readonly message: string;
  /** 1-based place in the source text, for manifests. */
  readonly line?: number;
  readonly column?: number;
};

/** The one error class that crosses layers. HTTP and gRPC codes are chosen from `kind` at the edge only. */
export class DomainError extends Error {
  readonly kind: ErrorKind;
  /** Stable, snake_case, documented: programs branch on it. */
  readonly code: string;
  readonly faults: readonly Fault[];

  constructor(
    kind: ErrorKind,
    code: string,
    message: string,
    options: { faults?: readonly Fault[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'DomainError';
    this.kind = kind;
    this.code = code;
    this.faults = options.faults ?? [];
  }
}

export const invalid = (code: string, message: string, faults: readonly Fault[] = []): DomainError =>
  new DomainError('invalid', code, message, { faults });
export const conflict = (code: string, message: string): DomainError =>
  new DomainError('conflict', code, message);
export const notFound = (what: string, id: string): DomainError =>
  new DomainError('not_found', `${what}_not_found`, `there is no ${what} ${id}`);

/** For branches that the types say cannot be reached. */
export const unreachable = (value: never): never => {
  throw new DomainError('internal', 'unreachable', `unexpected value ${JSON.stringify(value)}`);
};
