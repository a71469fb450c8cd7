import { newId, systemClock, systemRandom } from '@gridbourse/kernel';
import { openScope, runInScope } from '@gridbourse/observability';
import { Metadata } from '@grpc/grpc-js';
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Observable } from 'rxjs';

/** Gives a gRPC call the scope that the HTTP hook gives a request. */
@Injectable()
export class ScopeInterceptor implements NestInterceptor {
  constructor(private readonly service: string) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const metadata: unknown = context.getType() === 'rpc' ? context.switchToRpc().getContext() : undefined;
    if (!(metadata instanceof Metadata)) return next.handle();
    const traceparent = metadata.get('traceparent')[0]?.toString();
    const scope = openScope(this.service, traceparent, newId('request', systemClock.now(), systemRandom));
    return new Observable((subscriber) => runInScope(scope, () => next.handle().subscribe(subscriber)));
  }
}
