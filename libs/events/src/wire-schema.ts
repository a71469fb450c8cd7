import { z } from 'zod';
import { dataSchemaOf, type EventDefinition, schemaNameOf, topicOf } from './define.ts';

/** A JSON Schema of draft 2020-12, as far as zod writes them. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** The JSON Schema of zod's encoded side: what lies in the store and on the bus (bigints are decimal strings). */
export const encodedSchemaOf = (schema: z.ZodType): JsonSchema => {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    reused: 'inline',
  });
  return rest;
};

/**
 * The JSON Schema of an event as it lies in the store and on the bus, in its present version or an earlier one.
 * Objects are open: a reader ignores fields that it does not know.
 *
 * @throws Error for a version that the event never had, or a zod schema that JSON Schema cannot say
 */
export const wireSchemaOf = (definition: EventDefinition, version = definition.version): JsonSchema => {
  const schema =
    version === definition.version
      ? definition.schema
      : definition.earlier.find((earlier) => earlier.version === version)?.schema;
  if (!schema) throw new Error(`${definition.type} has no version ${version}`);
  const named = { ...definition, version };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: dataSchemaOf(named),
    title: schemaNameOf(named),
    description: definition.description,
    'x-topic': topicOf(definition),
    ...encodedSchemaOf(schema),
  };
};

/** Every version of an event, oldest first. */
export const versionsOf = (definition: EventDefinition): readonly number[] => [
  ...definition.earlier.map(({ version }) => version),
  definition.version,
];
