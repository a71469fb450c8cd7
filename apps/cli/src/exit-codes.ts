import { DomainError, type ErrorKind } from '@gridbourse/kernel';
import { ApiError, UnreachableError } from '@gridbourse/sdk';

/** What a script can tell from the exit code alone; documented by `gridbourse --help`. */
export const EXIT = {
  ok: 0,
  /** A fault of ours, or of the platform. */
  unexpected: 1,
  /** The command line, the manifest, or another input is wrong. */
  usage: 2,
  /** Not signed in, or not allowed. */
  denied: 3,
  notFound: 4,
  /** The state does not allow it; an order found no match, or was given up. */
  refused: 5,
  /** The platform or the chain does not answer. */
  unreachable: 6,
  /** The books of a demo do not agree. */
  broken: 7,
} as const;

export const EXIT_CODES_HELP = `Exit codes:
  0  done
  1  unexpected failure
  2  wrong command line, manifest or other input
  3  not signed in, or not allowed
  4  no such thing
  5  refused in this state; an order found no match, or ended before it ran
  6  the platform or the chain does not answer
  7  the books do not agree (demo)`;

const EXIT_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  invalid: EXIT.usage,
  unauthenticated: EXIT.denied,
  forbidden: EXIT.denied,
  not_found: EXIT.notFound,
  conflict: EXIT.refused,
  exhausted: EXIT.refused,
  unavailable: EXIT.unreachable,
  internal: EXIT.unexpected,
};

export const exitCodeOf = (error: unknown): number => {
  if (error instanceof UnreachableError) return EXIT.unreachable;
  if (error instanceof DomainError) return EXIT_OF_KIND[error.kind];
  if (!(error instanceof ApiError)) return EXIT.unexpected;
  if (error.status === 401 || error.status === 403) return EXIT.denied;
  if (error.status === 404) return EXIT.notFound;
  if (error.status === 409 || error.status === 429) return EXIT.refused;
  if (error.status >= 500) return EXIT.unreachable;
  return EXIT.usage;
};
