import { isConnectionError } from '@gridbourse/postgres';
import { DomainError, type ErrorKind, type Fault } from '@gridbourse/kernel';
import { status as grpcStatus } from '@grpc/grpc-js';
import { HttpException } from '@nestjs/common';
import { z } from 'zod';

/** RFC 9457, with our code, the request's id and the place of every fault. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.string(),
    requestId: z.string(),
    errors: z.array(
      z.object({
        pointer: z.string(),
        message: z.string(),
        line: z.int().optional(),
        column: z.int().optional(),
      }),
    ),
  })
  .meta({ id: 'Problem' });

export type Problem = z.output<typeof problemSchema>;

const HTTP_STATUS: Record<ErrorKind, number> = {
  invalid: 422,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  exhausted: 429,
  unavailable: 503,
  internal: 500,
};

const GRPC_STATUS: Record<ErrorKind, grpcStatus> = {
  invalid: grpcStatus.INVALID_ARGUMENT,
  unauthenticated: grpcStatus.UNAUTHENTICATED,
  forbidden: grpcStatus.PERMISSION_DENIED,
  not_found: grpcStatus.NOT_FOUND,
  conflict: grpcStatus.FAILED_PRECONDITION,
  exhausted: grpcStatus.RESOURCE_EXHAUSTED,
  unavailable: grpcStatus.UNAVAILABLE,
  internal: grpcStatus.INTERNAL,
};

const TITLES: Record<ErrorKind, string> = {
  invalid: 'The request is not valid',
  unauthenticated: 'Who are you?',
  forbidden: 'Not allowed',
  not_found: 'Not found',
  conflict: 'Not possible in this state',
  exhausted: 'A limit is reached',
  unavailable: 'Not available now',
  internal: 'Our fault',
};

const MAX_FAULTS = 100;
const kindOfHttpStatus = (status: number): ErrorKind => {
  switch (status) {
    case 401:
      return 'unauthenticated';
    case 403:
      return 'forbidden';
    case 404:
      return 'not_found';
    case 409:
      return 'conflict';
    case 429:
      return 'exhausted';
    case 503:
      return 'unavailable';
    default:
      return status < 500 ? 'invalid' : 'internal';
  }
};

export type Described = {
  kind: ErrorKind;
  code: string;
  detail: string;
  faults: readonly Fault[];
  httpStatus: number;
  grpcStatus: grpcStatus;
};

/** What may be told of an error. Anything we did not throw on purpose is told as `internal_error`, and nothing more. */
export const describeError = (error: unknown): Described => {
  if (error instanceof DomainError) {
    const hide = error.kind === 'internal';
    return {
      kind: error.kind,
      code: error.code,
      detail: hide ? 'Something went wrong on our side. The request id finds it in our logs.' : error.message,
      faults: hide ? [] : error.faults.slice(0, MAX_FAULTS),
      httpStatus: HTTP_STATUS[error.kind],
      grpcStatus: GRPC_STATUS[error.kind],
    };
  }
  if (isConnectionError(error)) {
    return {
      kind: 'unavailable',
      code: 'database_unavailable',
      detail: 'The database of this service is away; nothing was changed, or it is not known yet. Try again.',
      faults: [],
      httpStatus: HTTP_STATUS.unavailable,
      grpcStatus: GRPC_STATUS.unavailable,
    };
  }
  // Nest's own exceptions, and Fastify's (an unreadable body, a body over the limit), carry a status.
  const status =
    error instanceof HttpException
      ? error.getStatus()
      : typeof (error as { statusCode?: unknown } | null)?.statusCode === 'number'
        ? (error as { statusCode: number }).statusCode
        : 500;
  if (status >= 400 && status < 500) {
    const kind = kindOfHttpStatus(status);
    const message = error instanceof Error ? error.message : 'refused';
    return {
      kind,
      code:
        status === 413
          ? 'body_too_large'
          : status === 404
            ? 'no_such_route'
            : status === 400
              ? 'malformed_request'
              : kind,
      detail: message.slice(0, 500),
      faults: [],
      httpStatus: status,
      grpcStatus: GRPC_STATUS[kind],
    };
  }
  return {
    kind: 'internal',
    code: 'internal_error',
    detail: 'Something went wrong on our side. The request id finds it in our logs.',
    faults: [],
    httpStatus: 500,
    grpcStatus: grpcStatus.INTERNAL,
  };
};

export const toProblem = (described: Described, instance: string, requestId: string): Problem => ({
  type: `https://gridbourse.dev/problems/${described.code}`,
  title: TITLES[described.kind],
  status: described.httpStatus,
  detail: described.detail,
  instance,
  code: described.code,
  requestId,
  errors: described.faults.map((fault) => ({ ...fault })),
});
