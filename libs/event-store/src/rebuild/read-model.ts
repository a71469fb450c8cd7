import type { DomainEvent, EventDefinition } from '@gridbourse/events';
import type { EntityManager } from 'typeorm';
import type { StoredEvent } from '../event-store.ts';

/** An event of another service, as this one took it and kept it in its journal. */
export type HeardEvent = {
  readonly event: DomainEvent;
  readonly topic: string;
  readonly key: string;
  readonly sequence: number;
  /** When it was handled, by the clock of the service. */
  readonly heardAtMs: number;
  /** What its handler noted beside it. */
  readonly note: unknown;
  readonly tx: string;
  readonly position: string;
};

/** What a read model of this service's and of other services' events is made of. */
export type Fact<E extends DomainEvent> = { readonly own: StoredEvent<E> } | { readonly heard: HeardEvent };

type Tables = {
  /** Lower case, digits and underscores. */
  readonly name: string;
  /** Raise it with every change of what is projected: a rebuild that another version has begun is begun anew. */
  readonly version: number;
  readonly tables: readonly string[];
};

/** Tables that are nothing but what a projection makes of the store's own events. */
export type OwnReadModel<E extends DomainEvent> = Tables & {
  /** The events it needs; all when left out. */
  readonly types?: readonly string[];
  /**
   * Writes what some events make of the tables, which it names without a schema. Everything up to these events and nothing
   * behind them has been projected before.
   */
  readonly project: (manager: EntityManager, events: readonly StoredEvent<E>[]) => Promise<void>;
  /**
   * The subscription that feeds the tables, if one does. Left out, the writers feed them: whoever appends an event writes
   * the tables in the same transaction.
   */
  readonly subscription?: string;
  readonly hears?: never;
};

/** Tables that are made of what other services said, and perhaps of the service's own events too. */
export type HearingReadModel<E extends DomainEvent> = Tables & {
  /** Events of other services, each taken by a handler with `journal`. */
  readonly hears: readonly EventDefinition[];
  /** The service's own events that it needs; none when left out. */
  readonly types?: readonly string[];
  /**
   * As `OwnReadModel.project`. Facts come in an order in which each key of the bus and each stream keeps its own, and in
   * which what follows from a fact comes behind it; otherwise not in the order in which they happened.
   */
  readonly project: (manager: EntityManager, facts: readonly Fact<E>[]) => Promise<void>;
};

export type ReadModel<E extends DomainEvent> = OwnReadModel<E> | HearingReadModel<E>;
