import type { z } from 'zod';

/**
 * A shape that an event had before. Records and stored rows in it exist for good, so it is never changed and never
 * removed.
 */
export type EarlierVersion = {
  readonly version: number;
  readonly schema: z.ZodObject;
  /** Turns decoded fields of this version into fields of the next one. Pure and total: see `nextVersion`. */
  readonly upcast: (fields: Record<string, unknown>) => Record<string, unknown>;
};

/**
 * One kind of event in the published language, or one that a service keeps to itself.
 * In code an event is flat, `{ type: 'LeaseAccepted', leaseId, … }`; stored and on the bus `type` is a header and the
 * rest is JSON (bigints as decimal strings).
 */
export type EventDefinition<Type extends string = string, Shape extends z.ZodObject = z.ZodObject> = {
  readonly type: Type;
  /** The bounded context that owns it, and the only one that may publish it. */
  readonly context: string;
  /** What it happened to. Events of one aggregate share a topic. */
  readonly aggregate: string;
  /** What the key of the record is, in words: events with one key are read in the order they happened. */
  readonly key: string;
  /** The version that is written now. */
  readonly version: number;
  /** Private events are stored but never leave their service. */
  readonly visibility: 'public' | 'private';
  readonly schema: Shape;
  readonly description: string;
  /** Versions 1 to `version - 1`, in order: they are read, and never written again. */
  readonly earlier: readonly EarlierVersion[];
};

/** The flat event that a definition describes. */
export type EventOf<D> =
  D extends EventDefinition<infer Type, infer Shape>
    ? { readonly type: Type } & Readonly<z.output<Shape>>
    : never;

export type DomainEvent = { readonly type: string };

/** Defines events, all in their first version, of one aggregate. The key is the aggregate's id unless said otherwise. */
export const eventFamily =
  (
    context: string,
    aggregate: string,
    visibility: 'public' | 'private' = 'public',
    key = `the id of the ${aggregate}`,
  ) =>
  <Type extends string, Shape extends z.ZodObject>(
    type: Type,
    description: string,
    schema: Shape,
  ): EventDefinition<Type, Shape> => ({
    type,
    context,
    aggregate,
    key,
    version: 1,
    visibility,
    schema,
    description,
    earlier: [],
  });

/**
 * The same event in a new shape, for a change that an old consumer could not read. What was stored or published in the
 * shape before is read as the new one.
 *
 * `upcast` gets the decoded fields of the version before and gives fields of this one. It must be pure (an event is read
 * many times, and always the same) and total (there is no event of the old shape that it cannot turn); what it gives is
 * checked against the new schema.
 */
export const nextVersion = <Type extends string, Before extends z.ZodObject, Shape extends z.ZodObject>(
  before: EventDefinition<Type, Before>,
  next: {
    readonly schema: Shape;
    readonly upcast: (fields: z.output<Before>) => z.output<Shape>;
    /** What the event means; by default what it meant before. */
    readonly description?: string;
  },
): EventDefinition<Type, Shape> => {
  const replaced: EarlierVersion = {
    version: before.version,
    schema: before.schema,
    upcast: next.upcast as unknown as EarlierVersion['upcast'],
  };
  return {
    ...before,
    version: before.version + 1,
    schema: next.schema,
    description: next.description ?? before.description,
    earlier: [...before.earlier, replaced],
  };
};

/** `gridbourse.matchmaker.lease`: the topic that carries every public event of an aggregate. */
export const topicOf = (definition: Pick<EventDefinition, 'context' | 'aggregate'>): string =>
  `gridbourse.${definition.context}.${definition.aggregate}`;

/** `gridbourse.matchmaker.LeaseAccepted.v1`: the CloudEvents type of what is written now. */
export const cloudEventTypeOf = (definition: Pick<EventDefinition, 'context' | 'type' | 'version'>): string =>
  `gridbourse.${schemaNameOf(definition)}`;

/** `matchmaker.LeaseAccepted.v1`: what the schema of a version is called. */
export const schemaNameOf = (definition: Pick<EventDefinition, 'context' | 'type' | 'version'>): string =>
  `${definition.context}.${definition.type}.v${definition.version}`;

/** The URI that names the schema of a version, in `ce_dataschema` and as the schema's `$id`. */
export const dataSchemaOf = (definition: Pick<EventDefinition, 'context' | 'type' | 'version'>): string =>
  `https://gridbourse.dev/schemas/${schemaNameOf(definition)}.json`;
