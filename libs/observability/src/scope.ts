import { AsyncLocalStorage } from 'node:async_hooks';
import { randomHex } from './random-hex.ts';

/** What every log line and every outgoing event of one piece of work carries. */
export type Scope = {
  readonly service: string;
  /** W3C trace id: 32 hexadecimal digits. */
  readonly traceId: string;
  /** W3C parent id of this piece of work: 16 hexadecimal digits. */
  readonly spanId: string;
  readonly requestId?: string;
};

const storage = new AsyncLocalStorage<Scope>();
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
const NO_TRACE = '0'.repeat(32);

export const currentScope = (): Scope | undefined => storage.getStore();

/** Continues the trace of an incoming `traceparent`; starts a new one where there is none or a malformed one. */
export const openScope = (service: string, traceparent?: string, requestId?: string): Scope => {
  const match = traceparent === undefined ? null : TRACEPARENT.exec(traceparent);
  const traceId = match && match[1] !== NO_TRACE ? match[1]! : randomHex(16);
  const scope = { service, traceId, spanId: randomHex(8) };
  return requestId === undefined ? scope : { ...scope, requestId };
};

export const runInScope = <T>(scope: Scope, work: () => T): T => storage.run(scope, work);

/** For frameworks whose hooks have no callback to wrap: the scope holds for the rest of the current async chain. */
export const enterScope = (scope: Scope): void => storage.enterWith(scope);

/** The header that hands the current trace on; undefined outside any scope. */
export const currentTraceparent = (): string | undefined => {
  const scope = storage.getStore();
  return scope && `00-${scope.traceId}-${scope.spanId}-01`;
};
