import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventHeaders } from '@gridbourse/events';
import { currentTraceparent, openScope, runInScope } from '@gridbourse/observability';

/** Where an event comes from: kept in the metadata of the events that it causes. */
export type Causation = {
  /** W3C trace context. */
  readonly traceparent?: string;
  /** `ce_id` of the event being handled. */
  readonly causationId?: string;
};

const handled = new AsyncLocalStorage<string>();

/** Runs the work of a service in the trace of the record that it handles. */
export const inDeliveryScope = <T>(service: string, headers: EventHeaders, work: () => T): T =>
  runInScope(openScope(service, headers.traceparent), () => handled.run(headers.ce_id, work));

/** The cause of what this code does now: the trace it belongs to, and the event it handles. */
export const currentCausation = (): Causation => {
  const traceparent = currentTraceparent();
  const causationId = handled.getStore();
  return {
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(causationId === undefined ? {} : { causationId }),
  };
};
