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

export const bidPlaced = order(
  'BidPlaced',
  'A provider bids in an auction, sealed until the window closes. The same bid again replaces it.',
  z.object({
    orderId: fields.id('order'),
    bidId: fields.id('bid'),
    providerId: fields.id('provider'),
    offerId: fields.id('offer'),
    group: z.string(),
    rateMicrosPerHour: fields.micros.describe('Micro-USDC per hour for the group.'),
    validUntilMs: fields.instant,
    atMs: fields.instant,
  }),
);

export const bidsJudged = order(
  'BidsJudged',
  'What each sealed bid of an auction was worth when the window closed.',
  z.object({
    orderId: fields.id('order'),
    verdicts: z.array(
      z.object({
        bidId: fields.id('bid'),
        score: z.number().min(0).max(1).nullable(),
        failed: z.array(z.object({ constraint: z.string().max(60), detail: z.string().max(300) })),
      }),
    ),
    atMs: fields.instant,
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
  bidPlaced,
  bidsJudged,
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
  Same<
    Loose<PrivateOrderEvent>,
    Loose<EventOf<typeof orderAnnotated> | EventOf<typeof bidPlaced> | EventOf<typeof bidsJudged>>
  >,
  Same<
    Loose<PrivateLeaseEvent>,
    Loose<
      | EventOf<typeof leaseFundingRetracted>
      | EventOf<typeof leaseFundingRestored>
      | EventOf<typeof leaseTermNoted>
    >
  >,
] = [true, true];
