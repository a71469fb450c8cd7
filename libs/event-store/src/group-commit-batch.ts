import type { AsyncResource } from 'node:async_hooks';
import type { Causation } from '@gridbourse/event-bus';
import type { DomainEvent } from '@gridbourse/events';
import type { EntityManager } from 'typeorm';
import type { Append, EventStore, PreparedAppends } from './event-store.ts';

/** What one command decided. */
export type Decision<E, R> = {
  readonly appends: readonly Append<E>[];
  readonly result: R;
  /**
   * More to write in the same transaction (the inbox, a read model), before the events. `skip` says that the command has
   * been carried out before: its events are left out and its result is given all the same.
   */
  readonly inTransaction?: (manager: EntityManager) => void | Promise<void | 'skip'>;
};

/** A command that waits for its answer. */
export type Unit<E> = {
  readonly decide: () => Decision<E, unknown>;
  /** Where the command came from: it is decided as if it were there, with its trace. */
  readonly origin: AsyncResource;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly causation: Causation;
};

export type Decided<E> = { readonly unit: Unit<E>; readonly decision: Decision<E, unknown> };

/** Refused by its decision. The answer waits for the batch: it may rest on what a command before it decided. */
export type Refused<E> = { readonly unit: Unit<E>; readonly refusal: unknown };

export type Verdict<E> = Decided<E> | Refused<E>;

export const isDecided = <E>(verdict: Verdict<E>): verdict is Decided<E> => 'decision' in verdict;

/** Commands of one transaction, decided in their order, whose events may be prepared before it begins. */
export class GroupCommitBatch<E extends DomainEvent> {
  readonly verdicts: Verdict<E>[] = [];
  private readonly appends: PreparedAppends<E>;
  /** How many of the verdicts are prepared. */
  private ready = 0;
  private failure: { readonly error: unknown } | null = null;

  constructor(store: EventStore<E>) {
    this.appends = store.prepare();
  }

  get size(): number {
    return this.verdicts.length;
  }

  get units(): readonly Unit<E>[] {
    return this.verdicts.map(({ unit }) => unit);
  }

  get decided(): readonly Decided<E>[] {
    return this.verdicts.filter(isDecided);
  }

  /** Checks and encodes the events of the next command. @returns false when there is none */
  prepareNext(): boolean {
    const verdict = this.verdicts[this.ready];
    if (!verdict || this.failure) return false;
    this.ready += 1;
    if (!isDecided(verdict)) return true;
    const { unit, decision } = verdict;
    try {
      for (const append of decision.appends) this.appends.add({ metadata: unit.causation, ...append });
    } catch (error) {
      this.failure = { error };
    }
    return true;
  }

  /** @throws whatever is wrong with the events of one of the commands */
  prepared(): PreparedAppends<E> {
    while (this.prepareNext());
    if (this.failure) throw this.failure.error;
    return this.appends;
  }
}
