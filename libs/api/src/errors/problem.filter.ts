import { createLogger, currentScope, type Logger } from '@gridbourse/observability';
import { Metadata } from '@grpc/grpc-js';
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Observable, throwError } from 'rxjs';
import { RateLimited } from '../limits/rate-limited.ts';
import { describeError, toProblem } from './problem.ts';

/** The one place where an error becomes an answer: a problem document over HTTP, a status over gRPC. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger: Logger;

  constructor(service: string) {
    this.logger = createLogger(service);
  }

  catch(error: unknown, host: ArgumentsHost): Observable<never> | void {
    const described = describeError(error);
    if (described.httpStatus >= 500)
      this.logger.error({ err: error, code: described.code }, 'request failed');
    const requestId = currentScope()?.requestId ?? 'unknown';
    if (host.getType() === 'rpc') {
      const metadata = new Metadata();
      metadata.set('request-id', requestId);
      metadata.set('problem-bin', Buffer.from(JSON.stringify(toProblem(described, '', requestId))));
      if (error instanceof RateLimited) metadata.set('grpc-retry-pushback-ms', String(error.retryAfterMs));
      return throwError(() => ({
        code: described.grpcStatus,
        details: described.detail,
        message: described.detail,
        metadata,
      }));
    }
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (reply.sent) return;
    if (described.httpStatus === 401) void reply.header('www-authenticate', 'Bearer realm="gridbourse"');
    if (described.httpStatus === 429 || described.httpStatus === 503) {
      const retryAfterMs = error instanceof RateLimited ? error.retryAfterMs : 0;
      void reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1_000))));
    }
    void reply
      .status(described.httpStatus)
      .header('content-type', 'application/problem+json')
      .send(JSON.stringify(toProblem(described, request.url.split('?', 1)[0] ?? '', requestId)));
  }
}
