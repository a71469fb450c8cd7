import type { EventHeaders } from '@gridbourse/events';

/** One event on its way: `value` is JSON, everything about it is in the headers. */
export type BusRecord = {
  readonly topic: string;
  /** The aggregate's id. Records of one key are delivered in the order of their publication. */
  readonly key: string;
  readonly headers: EventHeaders;
  readonly value: unknown;
};

/** A record whose value is JSON already, as it was stored: it travels as it is and is not taken apart on the way. */
export type EncodedRecord = Omit<BusRecord, 'value'> & { readonly json: string };

export type PublishedRecord = BusRecord | EncodedRecord;

export type Delivery = BusRecord & {
  /** Per topic and key, gapless, from 1. A redelivery has the number of the first delivery. */
  readonly sequence: number;
  /** 1 for the first try of this run of the consumer. */
  readonly attempt: number;
};

/** For consumers that can handle many records at a lower price than one by one. */
export interface BatchHandler<Prepared = unknown> {
  /**
   * Reads a record that is next in line.
   * @returns what `handle` needs of it; null when it has to be handled alone, as one is for which this throws
   */
  prepare(delivery: Delivery): Prepared | null;
  /**
   * Handles all of them, or none: when it throws, it is called with parts of them, and what then still fails is given to
   * the handler one by one, so that one that fails keeps back no other. Records of one key come in order; at most 500.
   */
  handle(prepared: readonly Prepared[]): Promise<void>;
}

export type SubscribeOptions = {
  /** Members of one group share the records; each group gets all of them, from the first one on. */
  readonly group: string;
  readonly topics: readonly string[];
  /** Must be idempotent: delivery is at least once. What it throws is retried (see EventBus). */
  readonly handler: (delivery: Delivery) => Promise<void>;
  /** Used when several records are ready at once. A record that is tried again is handled alone. */
  readonly batch?: BatchHandler;
  /** Called instead of the handler for a dead letter that an operator skips, when its turn comes. */
  readonly onSkip?: (delivery: Delivery, reason: string) => Promise<void>;
};

export type Subscription = {
  /** Takes nothing new, waits for the handlers in hand, and notes how far they came. */
  close(): Promise<void>;
};

export type PartitionLag = {
  readonly topic: string;
  readonly partition: number;
  /** The first offset that is not settled. */
  readonly committed: number;
  /** The offset that the next record will get. */
  readonly end: number;
  /** Records that are not settled. */
  readonly lag: number;
};

/**
 * At least once, in order per topic and key. A handler that throws is tried again with growing pauses; only its own key
 * waits meanwhile. When the tries are used up the record becomes a dead letter and its key is parked: later records
 * of the key wait behind it, none is dropped, until an operator replays or skips it.
 */
export interface EventBus {
  /** Creates what the bus needs where it is missing. May be called again. */
  start(): Promise<void>;
  /**
   * Durable when resolved. One caller's records of a key keep their order.
   * @throws DomainError `invalid_record`, `record_too_large` (nothing was published), `bus_closed`
   */
  publish(records: readonly PublishedRecord[]): Promise<void>;
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  /**
   * How far a group is behind, by partition of the topics that this bus has subscriptions of that group to.
   * @throws DomainError `bus_closed`, and errors of a server that is away
   */
  lag(group: string): Promise<PartitionLag[]>;
  /** Closes every subscription and then itself. */
  close(): Promise<void>;
}

/** Thrown by a handler that could not even try (its database is away): tried again for as long as it takes. */
export class RetryLater extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RetryLater';
  }
}

/** Thrown by a handler that would fail every time: the record becomes a dead letter at once. */
export class PermanentFailure extends Error {
  /** Stable, snake_case, and kept with the dead letter: `unknown_event`, `newer_event`, `event_not_decodable`, `invalid_headers`. */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'PermanentFailure';
    this.code = code;
  }
}
