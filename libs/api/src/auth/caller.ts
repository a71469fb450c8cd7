import { DomainError } from '@gridbourse/kernel';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';

/** Who asks, as proven by the token or key of the request. */
export type Caller = {
  readonly accountId: string;
  /** Lower case hex with 0x. */
  readonly wallet: string;
  readonly scopes: readonly string[];
  readonly via: 'token' | 'api_key';
};

/** Keyed by what lives as long as the request: the HTTP request, or the metadata of a gRPC call. */
const callers = new WeakMap<object, Caller>();

const carrierOf = (context: ExecutionContext): object | undefined => {
  const carrier: unknown =
    context.getType() === 'http' ? context.switchToHttp().getRequest() : context.switchToRpc().getContext();
  return typeof carrier === 'object' && carrier !== null ? carrier : undefined;
};

export const rememberCaller = (context: ExecutionContext, caller: Caller): void => {
  const carrier = carrierOf(context);
  if (carrier) callers.set(carrier, caller);
};

/** The proven caller, undefined on public routes. */
export const callerOf = (context: ExecutionContext): Caller | undefined => {
  const carrier = carrierOf(context);
  return carrier && callers.get(carrier);
};

/**
 * The caller as a parameter of a handler, over HTTP and gRPC alike.
 * @throws DomainError `missing_credentials` when used on a public route.
 */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const caller = callerOf(context);
  if (!caller)
    throw new DomainError(
      'unauthenticated',
      'missing_credentials',
      'this needs an access token or an API key',
    );
  return caller;
});
