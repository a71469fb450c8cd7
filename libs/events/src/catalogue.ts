import { DomainError } from '@gridbourse/kernel';
import { z } from 'zod';
import type { DomainEvent, EventDefinition } from './define.ts';
import { type JsonWriter, jsonWriterOf } from './json-writer.ts';

/** An event as it is stored: `json` is the text of its data. */
export type WrittenEvent = { readonly type: string; readonly schemaVersion: number; readonly json: string };

export type EncodedEvent = { readonly type: string; readonly schemaVersion: number; readonly data: unknown };

/** Turns flat events into JSON and back, by the definitions it was given, and by no others. */
export class EventCatalogue<E extends DomainEvent = DomainEvent> {
  private readonly definitions = new Map<string, EventDefinition>();
  /** Each made when the first event of its type is written. */
  private readonly writers = new Map<string, JsonWriter>();

  constructor(definitions: readonly EventDefinition[]) {
    for (const definition of definitions) {
      if (this.definitions.has(definition.type)) throw new Error(`event ${definition.type} is defined twice`);
      for (const { schema } of [definition, ...definition.earlier]) {
        // In code the type lies beside the fields.
        if ('type' in schema.shape) throw new Error(`event ${definition.type} has a field named "type"`);
      }
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
  write(event: E): WrittenEvent {
    const definition = this.definition(event.type);
    const json = this.writerOf(definition)(event) ?? writtenByZod(definition, event);
    return { type: event.type, schemaVersion: definition.version, json };
  }

  /** As `write`, with the data that the text stands for. */
  encode(event: E): EncodedEvent {
    const { type, schemaVersion, json } = this.write(event);
    return { type, schemaVersion, data: JSON.parse(json) as unknown };
  }

  private writerOf(definition: EventDefinition): JsonWriter {
    let writer = this.writers.get(definition.type);
    if (!writer) this.writers.set(definition.type, (writer = jsonWriterOf(definition.schema)));
    return writer;
  }

  /**
   * Reads an event in the version it was written in and gives it in the shape of today. Costs one more check of the
   * schema where the version is not today's.
   *
   * @throws DomainError `event_not_decodable`, `unknown_event`, `newer_event` for a version we cannot read yet, or
   *   `event_not_upcastable` when an upcaster of ours fails
   */
  decode(stored: EncodedEvent): E {
    const definition = this.definition(stored.type);
    const { schemaVersion } = stored;
    if (schemaVersion > definition.version) {
      throw new DomainError(
        'internal',
        'newer_event',
        `${stored.type} has schema version ${schemaVersion}, this service reads up to ${definition.version}`,
      );
    }
    const written =
      schemaVersion === definition.version
        ? definition.schema
        : definition.earlier.find(({ version }) => version === schemaVersion)?.schema;
    if (!written) {
      throw new DomainError(
        'internal',
        'event_not_decodable',
        `${stored.type} never had a schema version ${schemaVersion}`,
      );
    }
    const decoded = z.safeDecode(written, stored.data as never);
    if (!decoded.success) throw misfit('event_not_decodable', stored.type, decoded.error);
    const fields =
      schemaVersion === definition.version ? decoded.data : upcast(definition, schemaVersion, decoded.data);
    return { type: stored.type, ...fields } as unknown as E;
  }
}

const writtenByZod = (definition: EventDefinition, { type, ...fields }: DomainEvent): string => {
  const encoded = z.safeEncode(definition.schema, fields);
  if (!encoded.success) throw misfit('event_not_encodable', type, encoded.error);
  return JSON.stringify(encoded.data);
};

/** Through every version from the one it was written in to today's. */
const upcast = (
  definition: EventDefinition,
  from: number,
  fields: Record<string, unknown>,
): Record<string, unknown> => {
  let current = fields;
  try {
    for (const earlier of definition.earlier.slice(from - 1)) current = earlier.upcast(current);
  } catch (error) {
    throw new DomainError(
      'internal',
      'event_not_upcastable',
      `${definition.type} of version ${from} cannot be turned into version ${definition.version}`,
      { cause: error },
    );
  }
  const fits = z.safeEncode(definition.schema, current);
  if (!fits.success) throw misfit('event_not_upcastable', definition.type, fits.error);
  return current;
};

const misfit = (code: string, type: string, error: z.ZodError): DomainError =>
  new DomainError('internal', code, `${type} does not fit its schema`, {
    faults: error.issues.map((issue) => ({ pointer: `/${issue.path.join('/')}`, message: issue.message })),
  });
