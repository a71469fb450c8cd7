import fc from 'fast-check';
import type { JsonSchema } from '../src/index.ts';

// Random schemas as zod writes them, and random edits of them, for properties of the compatibility check.

const bounds = (low: string, high: string, max: number): fc.Arbitrary<JsonSchema> =>
  fc
    .record({ [low]: fc.nat(max), [high]: fc.nat(max) }, { requiredKeys: [], noNullPrototype: true })
    .map((limits) => {
      const { [low]: min, [high]: top } = limits as Record<string, number>;
      return min !== undefined && top !== undefined && min > top ? { [low]: top, [high]: min } : limits;
    });

const scalars: fc.Arbitrary<JsonSchema> = fc.oneof(
  bounds('minLength', 'maxLength', 4).map((limits) => ({ type: 'string', ...limits })),
  fc.constantFrom('^a', '^[ab]*$', '^-?\\d{1,3}$').map((pattern) => ({ type: 'string', pattern })),
  bounds('minimum', 'maximum', 6).map((limits) => ({ type: 'integer', ...limits })),
  bounds('minimum', 'maximum', 6).map((limits) => ({ type: 'number', ...limits })),
  bounds('minimum', 'exclusiveMaximum', 6)
    .filter((limits) => limits['minimum'] !== limits['exclusiveMaximum'])
    .map((limits) => ({ type: 'number', ...limits })),
  fc.constantFrom(2, 4, 3).map((multipleOf) => ({ type: 'integer', multipleOf })),
  fc
    .uniqueArray(fc.constantFrom('a', 'b', 'ab', 'c'), { minLength: 1 })
    .map((values) => ({ type: 'string', enum: values })),
  fc.constantFrom<JsonSchema>(
    { type: 'boolean' },
    { type: 'null' },
    { const: 1 },
    { enum: [0, 2, 'a', null] },
    {},
  ),
);

const variant = (kind: string, fields: JsonSchema): JsonSchema => ({
  type: 'object',
  properties: { kind: { type: 'string', const: kind }, ...fields },
  required: ['kind', ...Object.keys(fields)],
});

/** Schemas up to three levels deep. */
export const schemas: fc.Arbitrary<JsonSchema> = fc.letrec<{ schema: JsonSchema; object: JsonSchema }>(
  (tie) => ({
    schema: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { weight: 4, arbitrary: scalars },
      { weight: 3, arbitrary: tie('object') },
      {
        weight: 2,
        arbitrary: fc
          .tuple(tie('schema'), bounds('minItems', 'maxItems', 3))
          .map(([items, limits]) => ({ type: 'array', items, ...limits })),
      },
      { weight: 1, arbitrary: tie('schema').map((shape) => ({ anyOf: [shape, { type: 'null' }] })) },
      {
        weight: 1,
        arbitrary: fc.tuple(tie('schema'), tie('schema')).map((shapes) => ({ anyOf: shapes })),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(tie('schema'), tie('schema'))
          .map(([x, y]) => ({ oneOf: [variant('p', { x }), variant('q', { y })] })),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(scalars, bounds('minLength', 'maxLength', 3)).map(([value, names]) => ({
          type: 'object',
          propertyNames: { type: 'string', ...names },
          additionalProperties: value,
        })),
      },
    ),
    object: fc
      .tuple(
        fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('schema'), {
          maxKeys: 3,
          noNullPrototype: true,
        }),
        fc.subarray(['a', 'b', 'c', 'd']),
        fc.constantFrom<object>({}, {}, {}, { additionalProperties: false }, { additionalProperties: {} }),
      )
      .map(([properties, wanted, openness]) => ({
        type: 'object',
        properties,
        required: wanted.filter((name) => name in properties),
        ...openness,
      })),
  }),
).schema;

type Part = Record<string, unknown>;

/** Every schema inside a schema, itself included. */
const partsOf = (schema: Part): Part[] => [
  schema,
  ...['items', 'additionalProperties', 'propertyNames']
    .map((keyword) => schema[keyword])
    .filter((part): part is Part => typeof part === 'object' && part !== null)
    .flatMap(partsOf),
  ...['anyOf', 'oneOf'].flatMap((keyword) => ((schema[keyword] ?? []) as Part[]).flatMap(partsOf)),
  ...Object.values((schema['properties'] ?? {}) as Record<string, Part>).flatMap(partsOf),
];

const LIMITS = [
  'minimum',
  'maximum',
  'exclusiveMaximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'multipleOf',
];

/** One change of one part, as an author might make it. The number says which of those that can be made there. */
const edit = (part: Part, choice: number, fresh: JsonSchema): void => {
  const properties = part['properties'] as Record<string, unknown> | undefined;
  const required = part['required'] as string[] | undefined;
  const values = part['enum'] as unknown[] | undefined;
  const edits: (() => void)[] = [
    () => Object.assign(part, { description: 'in other words' }),
    () => {
      for (const key of Object.keys(part)) delete part[key];
      Object.assign(part, structuredClone(fresh));
    },
  ];
  for (const limit of LIMITS.filter((keyword) => typeof part[keyword] === 'number')) {
    edits.push(
      () => (part[limit] = Math.max(1, (part[limit] as number) + 1)),
      () => (part[limit] = Math.max(1, (part[limit] as number) - 1)),
      () => delete part[limit],
    );
  }
  if (values) {
    edits.push(
      () => values.push('new'),
      () => values.length > 1 && values.pop(),
    );
  }
  if (properties && required) {
    for (const name of Object.keys(properties)) {
      edits.push(
        () => (part['required'] = [...new Set([...required, name])]),
        () => (part['required'] = required.filter((other) => other !== name)),
        () => {
          part['required'] = required.filter((other) => other !== name);
          delete properties[name];
        },
      );
    }
    edits.push(
      () => (properties['extra'] = structuredClone(fresh)),
      () => {
        properties['extra'] = structuredClone(fresh);
        part['required'] = [...required, 'extra'];
      },
      () => (part['additionalProperties'] = {}),
      () => delete part['additionalProperties'],
    );
  }
  edits[choice % edits.length]!();
};

/** A schema and what became of it in up to three edits. */
export const editedSchemas: fc.Arbitrary<[before: JsonSchema, after: JsonSchema]> = fc
  .tuple(schemas, fc.array(fc.tuple(fc.nat(1_000), fc.nat(1_000), scalars), { minLength: 1, maxLength: 3 }))
  .map(([before, edits]) => {
    const after: Part = structuredClone(before);
    for (const [place, choice, fresh] of edits) {
      const parts = partsOf(after);
      edit(parts[place % parts.length]!, choice, fresh);
    }
    return [before, after];
  });
