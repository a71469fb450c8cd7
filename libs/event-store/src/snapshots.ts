import type { DomainEvent } from '@gridbourse/events';
import { fold } from '@gridbourse/kernel';
import { type Counter, type Logger, type Meter, serviceMeter } from '@gridbourse/observability';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import type { EventStore } from './event-store.ts';

export type SnapshotOptions<State, E extends DomainEvent> = {
  readonly store: EventStore<E>;
  readonly initial: State;
  readonly evolve: (state: State, event: E) => State;
  /** Names the state, for example `matchmaker.order`: a snapshot of another state is ignored. */
  readonly name: string;
  /**
   * Of the state's form and of what `evolve` makes of an event. Raise it with every change of either: snapshots of
   * another version are ignored, and made anew from the events.
   */
  readonly version: number;
  /** To JSON and back, for example with codecs for amounts. A snapshot that does not fit it is ignored. */
  readonly schema: z.ZodType<State>;
  /** A snapshot is due when so many events have come since the last one (100). */
  readonly every?: number;
  readonly logger?: Logger;
  readonly meter?: Meter;
};

export type Folded<State> = {
  readonly streamId: string;
  readonly version: number;
  readonly state: State;
  /** How many of the events came out of a snapshot; 0 when none was used. */
  readonly snapshotVersion: number;
};

type Row = {
  version: string;
  state_name: string;
  state_version: number;
  state: unknown;
  of_this_history: boolean;
};

const FIND = `
  SELECT n.version, n.state_name, n.state_version, n.state, e.version IS NOT NULL AS of_this_history
  FROM stream_snapshots n
  LEFT JOIN events e ON (e.stream_id, e.version, e.tx, e.position) = (n.stream_id, n.version, n.tx, n.position)
  WHERE n.stream_id = $1`;

/**
 * Nothing for a version that the stream does not have. Whoever is slower does not put an older snapshot in the place of
 * a newer one that could be used; one that could not be used goes in any case.
 */
const SAVE = `
  INSERT INTO stream_snapshots AS kept (stream_id, version, tx, position, state_name, state_version, state)
  SELECT e.stream_id, e.version, e.tx, e.position, $3, $4, $5::jsonb
  FROM events e WHERE e.stream_id = $1 AND e.version = $2
  ON CONFLICT (stream_id) DO UPDATE
    SET version = excluded.version, tx = excluded.tx, position = excluded.position, state_name = excluded.state_name,
        state_version = excluded.state_version, state = excluded.state, taken_at = now()
    WHERE kept.version <= excluded.version
       OR (kept.state_name, kept.state_version) <> (excluded.state_name, excluded.state_version)
       OR NOT EXISTS (
         SELECT FROM events e
         WHERE (e.stream_id, e.version, e.tx, e.position) = (kept.stream_id, kept.version, kept.tx, kept.position))`;

/**
 * Folded states of streams, so that a long stream need not be read from its beginning. A snapshot only saves time: one
 * that is missing, of another form, or cannot be read, is as good as none.
 */
export class StreamSnapshots<State, E extends DomainEvent> {
  private readonly o: SnapshotOptions<State, E>;
  private readonly every: number;
  private readonly loads: Counter;

  constructor(options: SnapshotOptions<State, E>) {
    this.o = options;
    this.every = options.every ?? 100;
    this.loads = (options.meter ?? serviceMeter(options.store.context)).createCounter(
      'event_store_snapshot_loads_total',
      {
        description:
          'Streams loaded, by what became of their snapshot: used, none, other_form, other_history, unreadable',
      },
    );
  }

  /** The state of a stream: its snapshot and the events behind it. Version 0 and the initial state when there is none. */
  async load(manager: EntityManager, streamId: string): Promise<Folded<State>> {
    const snapshot = await this.find(manager, streamId);
    const from = snapshot?.version ?? 0;
    const { version, events } = await this.o.store.loadFrom(manager, streamId, from);
    const state = fold(this.o.evolve, snapshot ? snapshot.state : this.o.initial, events);
    return { streamId, version, state, snapshotVersion: from };
  }

  /** Whether the policy wants a snapshot of this state. */
  isDue({ version, snapshotVersion }: Pick<Folded<State>, 'version' | 'snapshotVersion'>): boolean {
    return version - snapshotVersion >= this.every;
  }

  /** Keeps the state of a version, unless a newer one is kept already. In the transaction of its events, or later. */
  async save(
    manager: EntityManager,
    folded: Pick<Folded<State>, 'streamId' | 'version' | 'state'>,
  ): Promise<void> {
    const state = z.encode(this.o.schema, folded.state);
    await manager.query(SAVE, [
      folded.streamId,
      folded.version,
      this.o.name,
      this.o.version,
      JSON.stringify(state),
    ]);
  }

  /** @returns whether it was due and is kept now */
  async saveIfDue(manager: EntityManager, folded: Folded<State>): Promise<boolean> {
    if (!this.isDue(folded)) return false;
    await this.save(manager, folded);
    return true;
  }

  private async find(
    manager: EntityManager,
    streamId: string,
  ): Promise<{ version: number; state: State } | null> {
    const [row] = await manager.query<Row[]>(FIND, [streamId]);
    if (!row) return this.note('none');
    if (row.state_name !== this.o.name || row.state_version !== this.o.version)
      return this.note('other_form');
    if (!row.of_this_history) return this.note('other_history', streamId);
    const decoded = z.safeDecode(this.o.schema, row.state);
    if (!decoded.success) return this.note('unreadable', streamId);
    this.note('used');
    return { version: Number(row.version), state: decoded.data };
  }

  private note(outcome: string, strangeStream?: string): null {
    this.loads.add(1, { state: this.o.name, outcome });
    if (strangeStream !== undefined) {
      this.o.logger?.warn(
        { state: this.o.name, streamId: strangeStream, outcome },
        'a snapshot is of no use; the state is made from the events',
      );
    }
    return null;
  }
}
