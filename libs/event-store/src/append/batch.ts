import { currentCausation } from '@gridbourse/event-bus';
import { type DomainEvent, type EventCatalogue, type EventDefinition, topicOf } from '@gridbourse/events';
import { type Clock, conflict, DomainError } from '@gridbourse/kernel';
import type { Append } from '../event-store.ts';

/** A public event must fit into a record of any bus. */
const MAX_EVENT_BYTES = 900 * 1_024;
const MAX_STREAM_ID = 180;

/** The key under which a stream publishes: what follows the first slash of its id, or the whole id. */
export const keyOfStream = (streamId: string): string => streamId.slice(streamId.indexOf('/') + 1);

export const versionConflict = (streamId: string): DomainError =>
  conflict('version_conflict', `${streamId} has changed meanwhile`);

export const mixedTopics = (message: string): DomainError =>
  new DomainError('internal', 'mixed_topics', message);

/** Counts only what may be too long: a unit of UTF-16 takes three bytes of UTF-8 at most. */
const isLarger = (text: string, bytes: number): boolean =>
  text.length * 3 > bytes && Buffer.byteLength(text) > bytes;

/** A character that JSON has to escape, behind any backslashes that are text themselves: NUL, or half a surrogate pair. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:(0000)|d[89a-f])/;

/**
 * Postgres takes such JSON as it is written, and fails as soon as somebody looks into it.
 * @throws DomainError invalid `unstorable_text`
 */
const storable = (json: string): string => {
  const found = json.includes('\\u') ? UNSTORABLE.exec(json) : null;
  if (!found) return json;
  const what = found[1] === undefined ? 'half a surrogate pair' : 'NUL characters';
  throw new DomainError('invalid', 'unstorable_text', `text with ${what} cannot be stored`);
};

/** What of a store this needs to know. */
export type Appender<E extends DomainEvent> = {
  readonly context: string;
  readonly catalogue: EventCatalogue<E>;
  readonly clock: Clock;
};

export type StreamAppend = {
  readonly streamId: string;
  /** Among the streams of its batch; 1-based, as SQL counts. */
  place: number;
  readonly expected: number;
  topic: string | null;
  events: number;
  publics: number;
};

export type EventRow = {
  readonly stream: StreamAppend;
  readonly type: string;
  readonly schemaVersion: number;
  readonly text: string;
  readonly metadata: string;
  readonly traceparent: string | null;
  /** Its place among the events that are appended to its stream, from 1. */
  readonly nth: number;
  /** Its place among the public ones of them, from 1; null for a private event. */
  readonly nthPublic: number | null;
};

/** What is appended, checked and encoded. */
export type AppendBatch = {
  /** Those that exist before those that are new, these in the order of their ids. */
  readonly streams: readonly StreamAppend[];
  /** In the order in which they are appended. */
  readonly events: readonly EventRow[];
  readonly occurredAtMs: number;
};

/** The stream of this append, checked against what the appends before it make of the stream. */
const openStream = <E>(streams: Map<string, StreamAppend>, append: Append<E>): StreamAppend | null => {
  const { streamId, expectedVersion } = append;
  const known = streams.get(streamId);
  if (known) {
    if (known.expected + known.events !== expectedVersion) throw versionConflict(streamId);
    return known;
  }
  if (append.events.length === 0) return null;
  if (streamId.length === 0 || streamId.length > MAX_STREAM_ID || keyOfStream(streamId) === '') {
    throw new DomainError('internal', 'invalid_stream_id', `"${streamId.slice(0, 60)}" cannot name a stream`);
  }
  const stream = { streamId, place: 0, expected: expectedVersion, topic: null, events: 0, publics: 0 };
  streams.set(streamId, stream);
  return stream;
};

/** Every writer makes new streams in one order, so that two never wait for each other in a circle. */
const inOrder = (streams: readonly StreamAppend[]): StreamAppend[] => {
  const existing = streams.filter(({ expected }) => expected > 0);
  const begun = streams.filter(({ expected }) => expected <= 0);
  begun.sort((a, b) => (a.streamId < b.streamId ? -1 : 1));
  const all = [...existing, ...begun];
  for (const [at, stream] of all.entries()) stream.place = at + 1;
  return all;
};

/**
 * Checks and encodes appends, some now and some later: it takes as long as storing them does and needs no database. One that
 * was refused spoils all of them.
 */
export class PreparedAppends<E extends DomainEvent> {
  private readonly streams = new Map<string, StreamAppend>();
  private readonly events: EventRow[] = [];

  constructor(private readonly store: Appender<E>) {}

  /** @throws DomainError as EventStore.append does for faults of the caller */
  add(append: Append<E>): void {
    const { store } = this;
    const stream = openStream(this.streams, append);
    if (!stream) return;
    const given = append.metadata ?? currentCausation();
    const metadata = storable(JSON.stringify(given));
    const traceparent = given.traceparent ?? null;
    for (const event of append.events) {
      const { type, schemaVersion, json } = store.catalogue.write(event);
      const nthPublic = note(store, stream, type);
      const text = storable(json);
      if (isLarger(text, MAX_EVENT_BYTES)) {
        throw new DomainError(
          'internal',
          'event_too_large',
          `${type} has more than ${MAX_EVENT_BYTES} bytes`,
        );
      }
      const nth = stream.events;
      this.events.push({ stream, type, schemaVersion, text, metadata, traceparent, nth, nthPublic });
    }
  }

  /** As of now; null when there is nothing to append. */
  batch(): AppendBatch | null {
    if (this.events.length === 0) return null;
    return {
      streams: inOrder([...this.streams.values()]),
      events: this.events,
      occurredAtMs: this.store.clock.now(),
    };
  }
}

const topics = new WeakMap<EventDefinition, string>();

/** One text for each definition: it is compared for every event. */
const topicFor = (definition: EventDefinition): string => {
  let topic = topics.get(definition);
  if (topic === undefined) topics.set(definition, (topic = topicOf(definition)));
  return topic;
};

/** Counts the event into its stream. @returns its place among the public ones of this append, null for a private one */
const note = <E extends DomainEvent>(
  store: Appender<E>,
  stream: StreamAppend,
  type: string,
): number | null => {
  const definition = store.catalogue.definition(type);
  if (definition.context !== store.context) {
    throw new DomainError('internal', 'foreign_event', `${type} belongs to ${definition.context}`);
  }
  stream.events += 1;
  if (definition.visibility === 'private') return null;
  const topic = topicFor(definition);
  if (stream.topic !== null && stream.topic !== topic) {
    throw mixedTopics(`${stream.streamId} publishes to ${stream.topic} and would to ${topic}`);
  }
  stream.topic = topic;
  stream.publics += 1;
  return stream.publics;
};
