import {
  type DomainEvent,
  EventCatalogue,
  eventFamily,
  type EventOf,
  fields,
  leaseEvents,
  orderEvents,
} from '@gridbourse/events';
import { z } from 'zod';
import type { PrivateLeaseEvent, PrivateOrderEvent } from './domain/private-events.ts';
import type { MatchmakerEvent } from './domain/process/unit-of-work.ts';

const order = eventFamily('matchmaker', 'order', 'private');
const lease = eventFamily('matchmaker', 'lease', 'private');

export const orderAnnotated = order(
  'OrderAnnotated',
  'What was noted of an order and concerns nobody else.',
  z.object({
    orderId: fields.id('order'),
    warnings: z.array(
      z.object({
        code: z.string().max(60),
        pointer: z.string().max(500),
        message: z.string().max(1_000),
        line: z.int(),
        column: z.int(),
      }),
    ),
    requestHash: z.string().max(80),
  }),
);

export const leaseFundingRetracted = lease(
  'LeaseFundingRetracted',
  'The block that funded the lease is no longer part of the chain.',
  z.object({ leaseId: fields.id('lease'), refundByMs: fields.instant, atMs: fields.instant }),
);

export const leaseFundingRestored = lease(
  'LeaseFundingRestored',
  'The lease is funded again, in another block.',
  z.object({ leaseId: fields.id('lease'), chainLeaseKey: z.string().max(80), atMs: fields.instant }),
);

export const leaseTermNoted = lease(
  'LeaseTermNoted',
  'The lease was extended on chain, or was not after all.',
  z.object({
    leaseId: fields.id('lease'),
    durationSeconds: fields.seconds,
    lockMicros: fields.micros,
    atMs: fields.instant,
  }),
);

const definitions = [
  ...orderEvents,
  ...leaseEvents,
  orderAnnotated,
  leaseFundingRetracted,
  leaseFundingRestored,
  leaseTermNoted,
] as const;

/** Every event of this service, those that it keeps to itself too. */
export const matchmakerCatalogue = new EventCatalogue<MatchmakerEvent & DomainEvent>(definitions);

// The domain writes its private events down without schemas; this keeps the two from drifting apart.
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Loose<T> = T extends readonly (infer U)[]
  ? Loose<U>[]
  : T extends object
    ? { -readonly [K in keyof T]: Loose<T[K]> }
    : T;
export const privateEventsAgree: [
  Same<Loose<PrivateOrderEvent>, Loose<EventOf<typeof orderAnnotated>>>,
  Same<
    Loose<PrivateLeaseEvent>,
    Loose<
      | EventOf<typeof leaseFundingRetracted>
      | EventOf<typeof leaseFundingRestored>
      | EventOf<typeof leaseTermNoted>
    >
  >,
] = [true, true];
