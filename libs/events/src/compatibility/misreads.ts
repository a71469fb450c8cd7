import type { JsonSchema } from '../wire-schema.ts';
import { alternativesOf, sameSchema, tagsOf, Unjudgeable } from './alternatives.ts';
import { acceptsValue, type Refusal, refusedCounts, refusedNumbers, refusedTexts } from './scalars.ts';

/** A place where a reader refuses what a writer may write. */
export type Misread = Refusal & {
  /** JSON pointer into the event's data; `*` stands for every item of a list and every key of a record. */
  readonly path: string;
};

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  string: ['type', 'minLength', 'maxLength', 'pattern', 'format', 'allOf'],
  integer: ['type', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  number: ['type', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  array: ['type', 'items', 'minItems', 'maxItems'],
  object: ['type', 'properties', 'required', 'additionalProperties', 'propertyNames'],
};

/**
 * Where a reader with one schema refuses what a writer with another may write; none when every value that can be
 * written is read.
 *
 * A writer writes the fields that its schema names and no others, since encoding drops the rest. A reader ignores fields
 * that its schema does not name, unless that says otherwise. What cannot be judged counts as refused, so the answer
 * "none" can be relied on; the opposite may be wrong for schemas that say the same in very different words.
 */
export const misreads = (writer: unknown, reader: unknown, path = ''): Misread[] => {
  if (sameSchema(writer, reader)) return [];
  try {
    const read = alternativesOf(reader);
    return alternativesOf(writer).flatMap((shape) => refused(shape, read, path));
  } catch (error) {
    if (!(error instanceof Unjudgeable)) throw error;
    return [{ path, keyword: 'cannot be judged', written: error.message, read: error.message }];
  }
};

const refused = (written: JsonSchema, read: readonly JsonSchema[], path: string): Misread[] => {
  if (read.some((shape) => Object.keys(shape).length === 0)) return [];
  if ('enum' in written) {
    const values = written['enum'] as unknown[];
    const isRead = (value: unknown): boolean => read.some((shape) => acceptsValue(shape, value));
    if (values.every(isRead)) return [];
    return [{ path, keyword: 'enum', written: describe(written), read: describeAll(read) }];
  }
  const type = written['type'];
  const ofType = read.filter(
    (shape) => shape['type'] === type || (type === 'integer' && shape['type'] === 'number'),
  );
  if (ofType.length === 0) {
    return [{ path, keyword: 'type', written: describe(written), read: describeAll(read) }];
  }
  const variants = type === 'object' ? sameVariant(written, ofType) : ofType;
  if (variants.length === 0) {
    const tags = (shape: JsonSchema): string =>
      tagsOf(shape)
        .map(([name, values]) => `${name} ${values.map(literal).join(' | ')}`)
        .join(', ');
    return [{ path, keyword: 'variant', written: tags(written), read: ofType.map(tags).join(' | ') }];
  }
  const verdicts = variants.map((shape) => compare(written, shape, path));
  // The nearest alternative says best what is wrong.
  return verdicts.reduce((best, verdict) => (verdict.length < best.length ? verdict : best));
};

/** Those of a union's objects whose tags allow what the written one has. */
const sameVariant = (written: JsonSchema, read: readonly JsonSchema[]): readonly JsonSchema[] => {
  if (read.length === 1) return read;
  const tags = new Map(tagsOf(written));
  return read.filter((shape) =>
    tagsOf(shape).every(([name, values]) => {
      const own = tags.get(name);
      return !own || own.some((value) => acceptsValue({ enum: values }, value));
    }),
  );
};

const compare = (written: JsonSchema, read: JsonSchema, path: string): Misread[] => {
  for (const shape of [written, read]) {
    const known = KNOWN[shape['type'] as string];
    const strange = Object.keys(shape).filter((keyword) => !known?.includes(keyword));
    if (strange.length > 0) throw new Unjudgeable(strange.join(', '));
    const parts = (shape['allOf'] ?? []) as JsonSchema[];
    if (parts.some((part) => Object.keys(part).join() !== 'pattern')) throw new Unjudgeable('allOf');
  }
  const at = (refusals: Refusal[]): Misread[] => refusals.map((refusal) => ({ path, ...refusal }));
  switch (written['type']) {
    case 'string':
      return at(refusedTexts(written, read));
    case 'array': {
      const counts = at(refusedCounts(written, read, 'minItems', 'maxItems'));
      if (written['maxItems'] === 0) return counts;
      return [...counts, ...misreads(written['items'] ?? {}, read['items'] ?? {}, `${path}/*`)];
    }
    case 'object':
      return compareObjects(written, read, path);
    default:
      return at(refusedNumbers(written, read));
  }
};

type Fields = {
  readonly named: ReadonlyMap<string, unknown>;
  readonly required: readonly string[];
  /** Schema of the fields that are not named; undefined where nothing is said of them. */
  readonly others: unknown;
  readonly names: unknown;
};

const fieldsOf = (shape: JsonSchema): Fields => {
  const named = new Map(Object.entries((shape['properties'] ?? {}) as Record<string, unknown>));
  const required = (shape['required'] ?? []) as string[];
  const others = shape['additionalProperties'];
  // A record over an enum requires its keys without naming them.
  for (const name of required) if (!named.has(name)) named.set(name, others ?? {});
  return { named, required, others, names: shape['propertyNames'] ?? {} };
};

const compareObjects = (writer: JsonSchema, reader: JsonSchema, path: string): Misread[] => {
  const [written, read] = [fieldsOf(writer), fieldsOf(reader)];
  const found: Misread[] = [];
  for (const name of read.required) {
    if (written.required.includes(name)) continue;
    const presence = written.named.has(name) ? 'optional' : 'absent';
    found.push({ path: `${path}/${name}`, keyword: 'required', written: presence, read: 'required' });
  }
  for (const [name, field] of written.named) {
    const place = `${path}/${name}`;
    if (!alternativesOf(read.names).some((shape) => acceptsValue(shape, name))) {
      found.push({
        path: place,
        keyword: 'propertyNames',
        written: literal(name),
        read: describeAny(read.names),
      });
    } else if (read.named.has(name)) {
      found.push(...misreads(field, read.named.get(name), place));
    } else {
      found.push(...misreadOther(field, read.others, place));
    }
  }
  if (written.others === undefined || written.others === false) return found;
  // The writer may write any field whose name fits.
  for (const [name, field] of read.named) {
    if (!written.named.has(name)) found.push(...misreads(written.others, field, `${path}/${name}`));
  }
  found.push(...misreadOther(written.others, read.others, `${path}/*`));
  const names = misreads(named(written.names), named(read.names), `${path}/*`);
  return [...found, ...names.map((misread) => ({ ...misread, keyword: 'propertyNames' }))];
};

/** A field that the reader's schema does not name. */
const misreadOther = (field: unknown, others: unknown, path: string): Misread[] => {
  if (others === undefined) return [];
  if (others === false) {
    return [{ path, keyword: 'additionalProperties', written: describeAny(field), read: 'no other field' }];
  }
  return misreads(field, others, path);
};

/** Names are texts, also where nothing is said of them. */
const named = (names: unknown): unknown =>
  Object.keys(names as object).length === 0 ? { type: 'string' } : names;

const literal = (value: unknown): string => JSON.stringify(value);

const describe = (shape: JsonSchema): string => {
  if ('enum' in shape) return (shape['enum'] as unknown[]).map(literal).join(' | ');
  return Object.keys(shape).length === 0 ? 'anything' : (shape['type'] as string);
};

const describeAll = (shapes: readonly JsonSchema[]): string =>
  shapes.length === 0 ? 'nothing' : [...new Set(shapes.map(describe))].join(' | ');

const describeAny = (schema: unknown): string => {
  try {
    return describeAll(alternativesOf(schema));
  } catch {
    return 'something';
  }
};
