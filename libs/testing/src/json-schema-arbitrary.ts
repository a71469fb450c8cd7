import fc from 'fast-check';

type Schema = { readonly [keyword: string]: unknown };

/** Keywords that say nothing about which values are valid. */
const ANNOTATIONS = new Set(['$schema', '$id', 'title', 'description', 'default', 'x-topic']);

/** How long texts and lists get beyond their minimum: long ones show nothing more and cost time. */
const SPARE_LENGTH = 12;
const SPARE_ITEMS = 3;

/**
 * Values that a JSON Schema accepts, for the part of draft 2020-12 that zod writes. Values are JSON: there is no -0, and
 * objects have no fields beside those that the schema names.
 *
 * @throws Error at a keyword that it does not know, so that none is ignored in silence, and where nothing can fit
 */
export const arbitraryOf = (schema: Schema): fc.Arbitrary<unknown> => {
  const alternatives = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined;
  if (alternatives) {
    expectOnly(schema, 'anyOf', 'oneOf');
    return fc.oneof(...alternatives.map(arbitraryOf));
  }
  if ('const' in schema) return fc.constant(schema['const']);
  if ('enum' in schema) return fc.constantFrom(...(schema['enum'] as unknown[]));
  switch (schema['type']) {
    case undefined:
      expectOnly(schema);
      return fc.jsonValue({ maxDepth: 2 }).map(withoutNegativeZero);
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return integer(schema);
    case 'number':
      return number(schema);
    case 'string':
      return text(schema);
    case 'array':
      return list(schema);
    case 'object':
      return object(schema);
    default:
      throw new Error(`no values are known for type ${JSON.stringify(schema['type'])}`);
  }
};

const integer = (schema: Schema): fc.Arbitrary<number> => {
  expectOnly(schema, 'type', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf');
  const step = (schema['multipleOf'] as number | undefined) ?? 1;
  const lowest = Math.max(
    numberOr(schema['minimum'], Number.MIN_SAFE_INTEGER),
    numberOr(schema['exclusiveMinimum'], Number.MIN_SAFE_INTEGER) + 1,
  );
  const highest = Math.min(
    numberOr(schema['maximum'], Number.MAX_SAFE_INTEGER),
    numberOr(schema['exclusiveMaximum'], Number.MAX_SAFE_INTEGER) - 1,
  );
  return fc
    .integer({ min: Math.ceil(lowest / step), max: Math.floor(highest / step) })
    .map((n) => n * step + 0);
};

const number = (schema: Schema): fc.Arbitrary<number> => {
  if ('multipleOf' in schema) return integer(schema);
  expectOnly(schema, 'type', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum');
  const above = schema['exclusiveMinimum'] as number | undefined;
  const below = schema['exclusiveMaximum'] as number | undefined;
  const min = numberOr(schema['minimum'], -Number.MAX_VALUE);
  const max = numberOr(schema['maximum'], Number.MAX_VALUE);
  const [lowest, highest] = [Math.max(min, above ?? min), Math.min(max, below ?? max)];
  if (lowest > highest || (lowest === highest && (lowest === above || highest === below))) {
    throw nothingFits(schema);
  }
  return fc
    .double({
      noNaN: true,
      noDefaultInfinity: true,
      min: lowest,
      max: highest,
    })
    .map((n) => n + 0)
    .filter((n) => n !== above && n !== below);
};

/** Mostly ASCII, else any character there is. (fast-check's own unit `binary` takes seconds to prepare.) */
const character = fc
  .oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 0, max: 0x10_ffff }).filter((code) => code < 0xd800 || code > 0xdfff),
    },
  )
  .map((code) => String.fromCodePoint(code));

const text = (schema: Schema): fc.Arbitrary<string> => {
  expectOnly(schema, 'type', 'minLength', 'maxLength', 'pattern', 'format', 'allOf');
  const min = numberOr(schema['minLength'], 0);
  const max = numberOr(schema['maxLength'], Number.POSITIVE_INFINITY);
  if (min > max) throw nothingFits(schema);
  const [first, ...others] = patternsOf(schema);
  return (
    first !== undefined
      ? fc.stringMatching(first)
      : (formatted(schema['format']) ??
        fc.string({
          unit: character,
          minLength: min,
          maxLength: Math.min(max, min + SPARE_LENGTH),
        }))
  ).filter(
    // JSON Schema counts characters, zod counts UTF-16 units: both have to be content.
    (value) =>
      [...value].length >= min && value.length <= max && others.every((pattern) => pattern.test(value)),
  );
};

const patternsOf = (schema: Schema): RegExp[] =>
  [schema, ...((schema['allOf'] as Schema[] | undefined) ?? [])]
    .map((part) => part['pattern'])
    .filter((pattern) => typeof pattern === 'string')
    .map((pattern) => new RegExp(pattern));

const formatted = (format: unknown): fc.Arbitrary<string> | undefined => {
  if (format === undefined) return undefined;
  if (format === 'uri') return fc.webUrl({ withQueryParameters: true, withFragments: true });
  if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  throw new Error(`no values are known for format ${JSON.stringify(format)}`);
};

const list = (schema: Schema): fc.Arbitrary<unknown[]> => {
  expectOnly(schema, 'type', 'items', 'minItems', 'maxItems');
  const minLength = numberOr(schema['minItems'], 0);
  const maxLength = Math.min(numberOr(schema['maxItems'], Number.POSITIVE_INFINITY), minLength + SPARE_ITEMS);
  return fc.array(arbitraryOf((schema['items'] as Schema | undefined) ?? {}), { minLength, maxLength });
};

const object = (schema: Schema): fc.Arbitrary<object> => {
  expectOnly(schema, 'type', 'properties', 'required', 'additionalProperties', 'propertyNames');
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const required = (schema['required'] ?? []) as string[];
  const names = (schema['propertyNames'] ?? { type: 'string' }) as Schema;
  const others = schema['additionalProperties'] as Schema | boolean | undefined;
  const named = [
    ...properties,
    // A record over an enum requires its keys without naming them as properties.
    ...required
      .filter((key) => !properties.some(([property]) => property === key))
      .map((key) => [key, typeof others === 'object' ? others : {}] as const),
  ];
  const fields = fc.record(Object.fromEntries(named.map(([key, property]) => [key, arbitraryOf(property)])), {
    requiredKeys: required,
    noNullPrototype: true,
  });
  if (typeof others !== 'object' && others !== true) return fields;
  const taken = new Set(named.map(([key]) => key));
  return fc
    .tuple(
      fc.dictionary(arbitraryOf(names) as fc.Arbitrary<string>, arbitraryOf(others === true ? {} : others), {
        maxKeys: SPARE_ITEMS,
        noNullPrototype: true,
      }),
      fields,
    )
    .map(([extra, own]) => ({
      // A reader drops a key of this name: it would be the prototype of the object.
      ...Object.fromEntries(Object.entries(extra).filter(([key]) => !taken.has(key) && key !== '__proto__')),
      ...own,
    }));
};

/** Without this, a search for a value would never end. */
const nothingFits = (schema: Schema): Error => new Error(`nothing fits ${JSON.stringify(schema)}`);

const numberOr = (value: unknown, otherwise: number): number =>
  typeof value === 'number' ? value : otherwise;

const withoutNegativeZero = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

const expectOnly = (schema: Schema, ...known: string[]): void => {
  const unknown = Object.keys(schema).filter((key) => !known.includes(key) && !ANNOTATIONS.has(key));
  if (unknown.length > 0) throw new Error(`no values are known for ${unknown.join(', ')}`);
};
