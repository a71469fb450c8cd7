import { DomainError } from '@gridbourse/kernel';
import { z } from 'zod';

/**
 * One kind of event in the published language, or one that a service keeps to itself.
 * In code an event is flat, `{ type: 'LeaseAccepted', leaseId, … }`; stored and on the bus `type` is a header and the
 * rest is JSON (bigints as decimal strings).
 */
export type EventDefinition<Type extends string = string, Shape extends z.ZodObject = z.ZodObject> = {
  readonly type: Type;
  /** The bounded context that owns it, and the only one that may publish it. */
  readonly context: string;
  /** The aggregate whose id is the record's key. */
  readonly aggregate: string;
  readonly version: number;
  /** Private events are stored but never leave their service. */
  readonly visibility: 'public' | 'private';
  readonly schema: Shape;
  readonly description: string;
};

/** The flat event that a definition describes. */
export type EventOf<D> =
  D extends EventDefinition<infer Type, infer Shape>
    ? { readonly type: Type } & Readonly<z.output<Shape>>
    : never;

export type DomainEvent = { readonly type: string };

export const eventFamily =
  (context: string, aggregate: string, visibility: 'public' | 'private' = 'public') =>
  <Type extends string, Shape extends z.ZodObject>(
    type: Type,
    description: string,
    schema: Shape,
    version = 1,
  ): EventDefinition<Type, Shape> => ({ type, context, aggregate, version, visibility, schema, description });

/** `gridbourse.matchmaker.lease`: the topic that carries every public event of an aggregate. */
export const topicOf = (definition: Pick<EventDefinition, 'context' | 'aggregate'>): string =>
  `gridbourse.${definition.context}.${definition.aggregate}`;

/** `gridbourse.matchmaker.LeaseAccepted.v1`: the CloudEvents type. */
export const cloudEventTypeOf = (definition: EventDefinition): string =>
  `gridbourse.${definition.context}.${definition.type}.v${definition.version}`;

export type EncodedEvent = { readonly type: string; readonly schemaVersion: number; readonly data: unknown };

/** Turns flat events into JSON and back, by the definitions it was given, and by no others. */
export class EventCatalogue<E extends DomainEvent = DomainEvent> {
  private readonly definitions = new Map<string, EventDefinition>();

  constructor(definitions: readonly EventDefinition[]) {
    for (const definition of definitions) {
      if (this.definitions.has(definition.type)) throw new Error(`event ${definition.type} is defined twice`);
      this.definitions.set(definition.type, definition);
    }
  }

  /** @throws DomainError `unknown_event` */
  definition(type: string): EventDefinition {
    const definition = this.definitions.get(type);
    if (!definition) {
      throw new DomainError('internal', 'unknown_event', `no definition of event ${type}`);
    }
    return definition;
  }

  all(): readonly EventDefinition[] {
    return [...this.definitions.values()];
  }

  /** @throws DomainError `event_not_encodable` when the event does not fit its own schema: a fault of ours. */
  encode(event: E): EncodedEvent {
    const { type, ...fields } = event;
    const definition = this.definition(type);
    const encoded = z.safeEncode(definition.schema, fields);
    if (!encoded.success) throw misfit('event_not_encodable', type, encoded.error);
    return { type, schemaVersion: definition.version, data: encoded.data };
  }

  /** @throws DomainError `event_not_decodable`, `unknown_event`, or `newer_event` for a version we cannot read yet. */
  decode(stored: EncodedEvent): E {
    const definition = this.definition(stored.type);
    if (stored.schemaVersion > definition.version) {
      throw new DomainError(
        'internal',
        'newer_event',
        `${stored.type} has schema version ${stored.schemaVersion}, this service reads up to ${definition.version}`,
      );
    }
    const decoded = z.safeDecode(definition.schema, stored.data as never);
    if (!decoded.success) throw misfit('event_not_decodable', stored.type, decoded.error);
    return { type: stored.type, ...(decoded.data as object) } as unknown as E;
  }
}

const misfit = (code: string, type: string, error: z.ZodError): DomainError =>
  new DomainError('internal', code, `${type} does not fit its schema`, {
    faults: error.issues.map((issue) => ({ pointer: `/${issue.path.join('/')}`, message: issue.message })),
  });
