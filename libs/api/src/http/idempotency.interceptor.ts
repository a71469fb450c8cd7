import { type Clock, conflict, DomainError } from '@gridbourse/kernel';
import {
  type CallHandler,
  createParamDecorator,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  SetMetadata,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import { catchError, from, mergeMap, type Observable, of, throwError } from 'rxjs';
import { DataSource } from 'typeorm';
import { callerOf } from '../auth/caller.ts';
import { CLOCK } from '../service/tokens.ts';

/** After so long an unfinished request counts as broken off (its process died) and may be taken up again. */
const ABANDONED_AFTER_MS = 5_000;
const KEY = /^[\x21-\x7e]{1,200}$/;

type Row = { request_hash: string; status: number | null; response: unknown; locked_at_ms: string };

/** The Idempotency-Key header of the request, undefined where it has none. */
export const IdempotencyKey = createParamDecorator(
  (_: unknown, context: ExecutionContext): string | undefined =>
    keyOf(context.switchToHttp().getRequest<FastifyRequest>()),
);

const keyOf = (request: FastifyRequest): string | undefined => {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !KEY.test(header)) {
    throw new DomainError(
      'invalid',
      'invalid_idempotency_key',
      'Idempotency-Key: expected 1 to 200 visible ASCII characters',
    );
  }
  return header;
};

const NOT_KEPT = 'gridbourse:answer-not-kept';

/** For a route whose answer holds a secret: the answer is shown once and stored nowhere, so it cannot be replayed. */
export const AnswerNotKept = (): MethodDecorator => SetMetadata(NOT_KEPT, true);

/**
 * Same key and same request: the first answer again, without doing it again. Same key and another request: 422.
 * Errors are not kept: after a failure the same key may be used again. Kept for seven days.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(
    private readonly reflector: Reflector,
    private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle();
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const caller = callerOf(context);
    const key = request.method === 'POST' ? keyOf(request) : undefined;
    if (key === undefined || !caller) return next.handle();
    if (this.reflector.get<boolean | undefined>(NOT_KEPT, context.getHandler())) return next.handle();
    const path = request.url.split('?', 1)[0]!;
    const requestHash = createHash('sha256')
      .update(`${path}\n${JSON.stringify(request.body ?? null)}`)
      .digest('hex');
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const known = await this.claim(caller.accountId, key, requestHash);
    if (known) {
      void reply.header('idempotency-replayed', 'true').status(known.status);
      return of(known.response);
    }
    return next.handle().pipe(
      mergeMap((response: unknown) =>
        from(this.keep(caller.accountId, key, reply.statusCode, response)).pipe(mergeMap(() => of(response))),
      ),
      catchError((error: unknown) =>
        from(this.release(caller.accountId, key)).pipe(mergeMap(() => throwError(() => error))),
      ),
    );
  }

  private async claim(
    accountId: string,
    key: string,
    requestHash: string,
  ): Promise<{ status: number; response: unknown } | null> {
    const now = this.clock.now();
    const inserted = await this.dataSource.query<unknown[]>(
      `INSERT INTO idempotency_keys (account_id, key, request_hash, locked_at_ms) VALUES ($1, $2, $3, $4)
       ON CONFLICT DO NOTHING RETURNING 1`,
      [accountId, key, requestHash, now],
    );
    if (inserted.length > 0) return null;
    const [row] = await this.dataSource.query<Row[]>(
      'SELECT request_hash, status, response, locked_at_ms FROM idempotency_keys WHERE account_id = $1 AND key = $2',
      [accountId, key],
    );
    if (!row) return this.claim(accountId, key, requestHash);
    if (row.request_hash !== requestHash) {
      throw new DomainError(
        'invalid',
        'idempotency_key_reused',
        'this Idempotency-Key was used for another request',
      );
    }
    if (row.status !== null) return { status: row.status, response: row.response };
    const [, taken] = await this.dataSource.query<[unknown, number]>(
      `UPDATE idempotency_keys SET locked_at_ms = $3
       WHERE account_id = $1 AND key = $2 AND status IS NULL AND locked_at_ms = $4 AND locked_at_ms < $5`,
      [accountId, key, now, row.locked_at_ms, now - ABANDONED_AFTER_MS],
    );
    if (taken === 1) return null;
    throw conflict(
      'request_in_progress',
      'the first request with this Idempotency-Key is still being worked on',
    );
  }

  private async keep(accountId: string, key: string, status: number, response: unknown): Promise<void> {
    await this.dataSource.query(
      'UPDATE idempotency_keys SET status = $3, response = $4 WHERE account_id = $1 AND key = $2',
      [accountId, key, status, JSON.stringify(response ?? null)],
    );
  }

  private async release(accountId: string, key: string): Promise<void> {
    await this.dataSource.query(
      'DELETE FROM idempotency_keys WHERE account_id = $1 AND key = $2 AND status IS NULL',
      [accountId, key],
    );
  }
}
