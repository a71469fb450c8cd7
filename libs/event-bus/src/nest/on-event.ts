import type { DomainEvent, EventDefinition, EventOf } from '@gridbourse/events';
import { applyDecorators, UseFilters } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { RethrowToBusFilter } from './rethrow-to-bus.filter.ts';

export const BUS_TRANSPORT = Symbol('gridbourse.bus');

export type OnEventOptions<E = DomainEvent> = {
  /**
   * `bus` (default): the strategy opens one transaction, records the inbox in it and calls the handlers of the event
   * with `context.manager`. `handler`: the handler records the inbox in a transaction of its own, with
   * `context.recordInbox(manager)`; it is then the only handler of that event in its service.
   */
  readonly transaction?: 'bus' | 'handler';
  /**
   * Keeps the event, as it was published, in the transaction of its effects (`bus_journal`), so that what the handler
   * writes can be rebuilt. A function keeps those for which it is true. Costs a row an event; left out, nothing.
   */
  readonly journal?: boolean | ((event: E) => boolean);
};

export type OnEventExtras = {
  readonly definition: EventDefinition;
  readonly transaction: 'bus' | 'handler';
  readonly journal: boolean | ((event: DomainEvent) => boolean);
};

/** `gridbourse.matchmaker.LeaseAccepted`: `ce_type` without its version. */
export const patternOf = (definition: Pick<EventDefinition, 'context' | 'type'>): string =>
  `gridbourse.${definition.context}.${definition.type}`;

/**
 * Calls the method for every event of this definition, exactly once in effect:
 * `async onX(@Payload() event: EventOf<typeof definition>, @Ctx() context: EventContext)`.
 */
export const OnEvent = <D extends EventDefinition>(
  definition: D,
  options: OnEventOptions<EventOf<D>> = {},
): MethodDecorator => {
  const extras: OnEventExtras = {
    definition,
    transaction: options.transaction ?? 'bus',
    journal: (options.journal as OnEventExtras['journal'] | undefined) ?? false,
  };
  return applyDecorators(
    // `<string>` picks the overload that gives a plain MethodDecorator; the first one refuses `@Ctx()` parameters.
    EventPattern<string>(patternOf(definition), BUS_TRANSPORT, extras),
    UseFilters(RethrowToBusFilter),
  );
};
