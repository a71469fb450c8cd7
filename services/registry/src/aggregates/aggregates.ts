import { Outbox } from '@gridbourse/api';
import { EventStore } from '@gridbourse/event-store';
import { type Decider, DomainError, fold } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { RegistryEvent } from '../domain/private-events.ts';

/** Another command may get in between so often before we give up. */
const MAX_ATTEMPTS = 6;

export type Aggregate<Command, State, Event extends RegistryEvent> = {
  readonly decider: Decider<Command, State, Event>;
  /** Brings the read models up to date, in the transaction of the events. */
  readonly project: (manager: EntityManager, events: readonly Event[]) => Promise<void>;
};

export type Decided<State, Event> = { readonly state: State; readonly events: readonly Event[] };

/** Loads an aggregate, decides, and stores events and read models in one transaction. */
@Injectable()
export class Aggregates {
  constructor(
    private readonly dataSource: DataSource,
    private readonly store: EventStore,
    private readonly outbox: Outbox,
  ) {}

  /**
   * Runs commands on one aggregate, each on what came of the one before. Starts over when another command changed the
   * aggregate meanwhile. `within` runs first in the same transaction, and may look up or write what belongs to it.
   * @throws DomainError of the decider; `version_conflict` when others keep getting in between
   */
  async execute<Command, State, Event extends RegistryEvent>(
    aggregate: Aggregate<Command, State, Event>,
    streamId: string,
    commands: readonly Command[] | ((manager: EntityManager) => Promise<readonly Command[]>),
  ): Promise<Decided<State, Event>> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const decided = await this.dataSource.transaction(async (manager) =>
          this.executeWithin(
            manager,
            aggregate,
            streamId,
            typeof commands === 'function' ? await commands(manager) : commands,
          ),
        );
        if (decided.events.length > 0) this.outbox.wake();
        return decided;
      } catch (error) {
        const conflict = error instanceof DomainError && error.code === 'version_conflict';
        if (!conflict || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  /** As `execute`, in a transaction that is already open; a `version_conflict` then loses that transaction. */
  async executeWithin<Command, State, Event extends RegistryEvent>(
    manager: EntityManager,
    { decider, project }: Aggregate<Command, State, Event>,
    streamId: string,
    commands: readonly Command[],
  ): Promise<Decided<State, Event>> {
    const { version, events: past } = await this.store.load(manager, streamId);
    let state = fold(decider.evolve, decider.initial, past as unknown as Event[]);
    const events: Event[] = [];
    for (const command of commands) {
      const decided = decider.decide(command, state);
      state = fold(decider.evolve, state, decided);
      events.push(...decided);
    }
    if (events.length > 0) {
      await this.store.append(manager, [{ streamId, expectedVersion: version, events }]);
      await project(manager, events);
    }
    return { state, events };
  }
}
