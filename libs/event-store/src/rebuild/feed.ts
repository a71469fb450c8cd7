import type { DomainEvent } from '@gridbourse/events';
import type { EntityManager } from 'typeorm';
import type { Cursor } from '../cursor.ts';
import type { EventStore } from '../event-store.ts';
import { Facts } from './facts.ts';
import type { HearingReadModel, OwnReadModel, ReadModel } from './read-model.ts';

/** Some of what a read model is made of, in order. */
export type Portion = {
  readonly count: number;
  /** The last place that was looked at; null when there was none. */
  readonly end: Cursor | null;
  /** There may be more at once. */
  readonly more: boolean;
  readonly project: (manager: EntityManager) => Promise<void>;
};

/** Where a rebuild reads from. */
export type Feed = {
  /** @throws DomainError conflict `journal_incomplete`: it can not be rebuilt from what is kept */
  readonly assertComplete: (manager: EntityManager) => Promise<void>;
  /** What is settled behind a place: nothing comes in between later. */
  readonly settled: (manager: EntityManager, after: Cursor, limit: number) => Promise<Portion>;
  /** Everything behind a place that the transaction sees, for a caller that keeps writers away. */
  readonly visible: (manager: EntityManager, after: Cursor, limit: number) => Promise<Portion>;
  /** How many are left behind a place, counted up to a limit. */
  readonly left: (manager: EntityManager, after: Cursor, limit: number) => Promise<number>;
};

const COUNT_BEHIND = `
  SELECT count(*)::int AS left
  FROM (SELECT FROM events e WHERE (e.tx, e.position) > ($1::xid8, $2::bigint) LIMIT $3) AS behind`;

const ofOwnEvents = <E extends DomainEvent>(store: EventStore<E>, model: OwnReadModel<E>): Feed => {
  const types = model.types && { types: model.types };
  return {
    assertComplete: () => Promise.resolve(),
    settled: async (manager, after, limit) => {
      const { events, end, more } = await store.scan(manager, { after, limit, ...types });
      return { count: events.length, end, more, project: (target) => model.project(target, events) };
    },
    visible: async (manager, after, limit) => {
      const events = await store.readVisible(manager, { after, limit, ...types });
      const more = events.length === limit;
      return { count: events.length, end: after, more, project: (target) => model.project(target, events) };
    },
    left: async (manager, after, limit) => {
      const rows = await manager.query<{ left: number }[]>(COUNT_BEHIND, [after.tx, after.position, limit]);
      return rows[0]!.left;
    },
  };
};

const ofFacts = <E extends DomainEvent>(store: EventStore<E>, model: HearingReadModel<E>): Feed => {
  const facts = new Facts(store, { types: model.types ?? [], hears: model.hears });
  const read = async (manager: EntityManager, after: Cursor, limit: number, unsettled: boolean) => {
    const page = await facts.read(manager, { after, limit, unsettled });
    const { end, more } = page;
    const project = (target: EntityManager): Promise<void> => model.project(target, page.facts);
    return { count: page.facts.length, end, more, project };
  };
  return {
    assertComplete: (manager) => facts.assertComplete(manager),
    settled: (manager, after, limit) => read(manager, after, limit, false),
    visible: (manager, after, limit) => read(manager, after, limit, true),
    left: (manager, after, limit) => facts.count(manager, after, limit),
  };
};

export const feedOf = <E extends DomainEvent>(store: EventStore<E>, model: ReadModel<E>): Feed =>
  model.hears === undefined ? ofOwnEvents(store, model) : ofFacts(store, model);
