import type { JsonSchema } from '../wire-schema.ts';

/** Keywords that say nothing about which values are valid. */
const ANNOTATIONS = new Set(['$schema', '$id', 'title', 'description', 'default', 'examples', 'x-topic']);

/** A part of a schema that these rules cannot judge: never taken for compatible. */
export class Unjudgeable extends Error {}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keywords whose value is a map from names of the author's choice to schemas. */
const MAPS_OF_SCHEMAS = new Set(['properties', 'patternProperties', '$defs']);
const LITERALS = new Set(['const', 'enum']);

/** The schema without its annotations. A field may be called `title`, so this goes by place and not by name. */
export const bare = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(bare);
  if (!isObject(schema)) return schema;
  const kept = Object.entries(schema).filter(([keyword]) => !ANNOTATIONS.has(keyword));
  return Object.fromEntries(
    kept.map(([keyword, value]) => {
      if (LITERALS.has(keyword)) return [keyword, value];
      if (MAPS_OF_SCHEMAS.has(keyword) && isObject(value)) {
        return [keyword, Object.fromEntries(Object.entries(value).map(([name, part]) => [name, bare(part)]))];
      }
      return [keyword, bare(value)];
    }),
  );
};

/** JSON with sorted keys: equal texts are equal values. */
export const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    isObject(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : part,
  );

/** Whether two schemas differ in nothing but annotations. `required` is a set. */
export const sameSchema = (a: unknown, b: unknown): boolean =>
  canonical(sortRequired(bare(a))) === canonical(sortRequired(bare(b)));

const sortRequired = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sortRequired);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      key === 'required' && Array.isArray(part) ? [...(part as unknown[])].sort() : sortRequired(part),
    ]),
  );
};

/**
 * The single shapes out of which a schema allows any: each has one `type`, or is a finite list in `enum`, or is empty,
 * which allows everything. No shape at all allows nothing.
 *
 * @throws Unjudgeable where alternatives stand beside other keywords, or those of a `oneOf` may overlap
 */
export const alternativesOf = (schema: unknown): JsonSchema[] => {
  if (schema === undefined || schema === true) return [{}];
  if (schema === false) return [];
  const plain = bare(schema) as JsonSchema;
  const keywords = Object.keys(plain);
  for (const keyword of ['anyOf', 'oneOf'] as const) {
    if (!(keyword in plain)) continue;
    if (keywords.length > 1) throw new Unjudgeable(`${keyword} beside ${keywords.join(', ')}`);
    const shapes = (plain[keyword] as unknown[]).map(alternativesOf);
    if (keyword === 'oneOf') expectDisjoint(shapes);
    return shapes.flat();
  }
  if (keywords.length === 1 && canonical(plain['not']) === '{}') return [];
  if ('const' in plain) return [{ enum: [plain['const']] }];
  if ('enum' in plain) return [{ enum: plain['enum'] }];
  const { type } = plain;
  if (type === 'null') return [{ enum: [null] }];
  if (type === 'boolean') return [{ enum: [true, false] }];
  if (Array.isArray(type))
    return (type as unknown[]).flatMap((one) => alternativesOf({ ...plain, type: one }));
  if (type === undefined && keywords.length > 0)
    throw new Unjudgeable(`${keywords.join(', ')} without a type`);
  return [plain];
};

const expectDisjoint = (shapes: readonly JsonSchema[][]): void => {
  shapes.forEach((left, i) => {
    for (const right of shapes.slice(i + 1).flat()) {
      if (left.some((shape) => !areDisjoint(shape, right))) {
        throw new Unjudgeable('oneOf with alternatives that may overlap');
      }
    }
  });
};

/** Whether no value can fit both, as far as can be told from types and from the field that tells variants apart. */
const areDisjoint = (a: JsonSchema, b: JsonSchema): boolean => {
  if ('enum' in a && 'enum' in b) return !overlap(a['enum'] as unknown[], b['enum'] as unknown[]);
  const types = [typesOf(a), typesOf(b)] as const;
  if (!types[0] || !types[1]) return false;
  if (!types[0].some((type) => types[1]!.includes(type))) return true;
  if (a['type'] !== 'object' || b['type'] !== 'object') return false;
  return tagsOf(a).some(([name, values]) =>
    tagsOf(b).some(([other, others]) => name === other && !overlap(values, others)),
  );
};

const overlap = (a: readonly unknown[], b: readonly unknown[]): boolean => {
  const texts = new Set(a.map(canonical));
  return b.some((value) => texts.has(canonical(value)));
};

/** The JSON types that a shape allows; null when it allows any. */
const typesOf = (shape: JsonSchema): string[] | null => {
  if ('enum' in shape) return (shape['enum'] as unknown[]).map(jsonTypeOf);
  if (shape['type'] === undefined) return null;
  return [shape['type'] === 'integer' ? 'number' : (shape['type'] as string)];
};

const jsonTypeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;

/** The required fields of an object that can have a few values only: they tell the variants of a union apart. */
export const tagsOf = (shape: JsonSchema): [name: string, values: unknown[]][] => {
  const required = (shape['required'] ?? []) as string[];
  const properties = (shape['properties'] ?? {}) as Record<string, JsonSchema>;
  return required.flatMap((name): [string, unknown[]][] => {
    const property = properties[name];
    if (property && 'const' in property) return [[name, [property['const']]]];
    if (property && 'enum' in property) return [[name, property['enum'] as unknown[]]];
    return [];
  });
};
