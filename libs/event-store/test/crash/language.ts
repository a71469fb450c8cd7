import { eventFamily, EventCatalogue, type EventOf, topicOf } from '@gridbourse/events';
import { z } from 'zod';

/** The one event of the crash test. */
export const counted = eventFamily('shop', 'counter')(
  'Counted',
  'A counter went up by one.',
  z.object({ count: z.int() }),
);
export type CountedEvent = EventOf<typeof counted>;
export const counterCatalogue = new EventCatalogue<CountedEvent>([counted]);
export const COUNTERS = topicOf(counted);
export const streamOf = (n: number): string => `counter/c${n}`;
export const keyOf = (n: number): string => `c${n}`;
