import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { BaseRpcExceptionFilter } from '@nestjs/microservices';
import { type Observable, throwError } from 'rxjs';
import { EventContext } from './event-context.ts';

/** Hands the bus the very error that was thrown; without it Nest gives "Internal server error". */
@Catch()
export class RethrowToBusFilter extends BaseRpcExceptionFilter implements ExceptionFilter {
  override catch(exception: unknown, host: ArgumentsHost): Observable<never> {
    if (host.switchToRpc().getContext<unknown>() instanceof EventContext) return throwError(() => exception);
    return super.catch(exception, host) as Observable<never>;
  }
}
