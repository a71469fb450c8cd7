import { z } from 'zod';

/** @returns the JSON of what `z.encode` would return; null for a value that only zod itself can judge */
export type JsonWriter = (value: unknown) => string | null;

type Def = z.core.$ZodTypeDef & { readonly checks?: readonly z.core.$ZodCheck[]; readonly coerce?: boolean };

/** A condition in JavaScript on what a variable has. */
type Condition = (variable: string) => string;

/**
 * A writer of a schema that is many times as fast as to encode with zod, which tries a value twice at every check, and to
 * turn the result into text: it is JavaScript made for the schema, as zod makes it for reading, which knows the name of every
 * field. It knows the kinds of schema that events are made of and leaves the others to zod, each in its place. What it writes
 * has passed every check that zod would make; what it doubts, it leaves unjudged.
 */
export const jsonWriterOf = (schema: z.core.$ZodType): JsonWriter => {
  const program = new Program();
  return program.compiled(writerIn(program, schema));
};

/** As `jsonWriterOf`; null where the schema as a whole has to be left to zod. */
export const knownJsonWriter = (schema: z.core.$ZodType): JsonWriter | null => {
  const program = new Program();
  const name = knownIn(program, schema);
  return name === null ? null : program.compiled(name);
};

/** Functions that call each other. Nothing of a schema gets into their text but as a literal or as a constant. */
class Program {
  private readonly constants: unknown[] = [];
  private readonly functions: string[] = [];

  /** @returns the name by which functions know the value */
  constant(value: unknown): string {
    return `c${this.constants.push(value) - 1}`;
  }

  /** @param body of a function of `v`. @returns its name */
  define(body: string): string {
    const name = `w${this.functions.length}`;
    this.functions.push(`const ${name} = (v) => {\n${body}\n};`);
    return name;
  }

  compiled(name: string): JsonWriter {
    const names = this.constants.map((_, at) => `c${at}`);
    // Only names, literals that JSON.stringify wrote and numbers are in it: see `define`.
    // eslint-disable-next-line @typescript-eslint/no-implied-eval
    const made = new Function(
      'quoted',
      ...names,
      `'use strict';\n${this.functions.join('\n')}\nreturn ${name};`,
    ) as (...values: readonly unknown[]) => JsonWriter;
    return made(quoted, ...this.constants);
  }
}

/** Text that JSON writes as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

const literal = (value: string): string => JSON.stringify(value);

/** @returns the name of the function that writes the schema */
const writerIn = (program: Program, schema: z.core.$ZodType): string =>
  knownIn(program, schema) ?? program.define(`return ${program.constant(zodWriter(schema))}(v);`);

const zodWriter =
  (schema: z.core.$ZodType): JsonWriter =>
  (value) => {
    const encoded = z.safeEncode(schema, value);
    return encoded.success ? (JSON.stringify(encoded.data) ?? null) : null;
  };

/** Null for a kind of schema, or a variant of it, that is not known. */
const knownIn = (program: Program, schema: z.core.$ZodType): string | null => {
  const def = schema._zod.def as Def;
  const write = WRITERS[def.type as keyof typeof WRITERS] as
    ((def: never, program: Program, fits: string) => string | null) | undefined;
  const checks = checksOf(def, program);
  if (!write || !checks || def.coerce) return null;
  const body = write(def as never, program, checks.map((check) => ` && ${check('v')}`).join(''));
  return body === null ? null : program.define(body);
};

const OBJECT = `typeof v === 'object' && v !== null && !Array.isArray(v)`;

/** By kind of schema, the body of a function of `v`. `checks` is what has to be true of `v` besides. */
const WRITERS = {
  string: (def: z.core.$ZodStringDef & { format?: string }, _: Program, checks: string) =>
    def.format === undefined ? `return typeof v === 'string'${checks} ? quoted(v) : null;` : null,
  number: (def: z.core.$ZodNumberDef & { format?: string }, _: Program, checks: string) => {
    const fits = numberFits(def);
    return fits === null ? null : `return ${fits('v')}${checks} ? '' + v : null;`;
  },
  boolean: (_: z.core.$ZodBooleanDef, __: Program, checks: string) =>
    `return typeof v === 'boolean'${checks} ? '' + v : null;`,
  null: (_: z.core.$ZodNullDef, __: Program, checks: string) => `return v === null${checks} ? 'null' : null;`,
  literal: ({ values }: z.core.$ZodLiteralDef<z.core.util.Literal>, program: Program, checks: string) =>
    oneOf(values, program, checks),
  // A numeric enum of TypeScript also has its names backwards.
  enum: ({ entries }: z.core.$ZodEnumDef, program: Program, checks: string) =>
    Object.values(entries).every((value) => typeof value === 'string')
      ? oneOf(Object.values(entries), program, checks)
      : null,
  nullable: ({ innerType }: z.core.$ZodNullableDef, program: Program, checks: string) =>
    `return ${checks === '' ? '' : `!(true${checks}) ? null : `}v === null ? 'null' : ${writerIn(program, innerType)}(v);`,
  array: ({ element }: z.core.$ZodArrayDef, program: Program, checks: string) => `
    if (!(Array.isArray(v)${checks})) return null;
    let all = '';
    for (let at = 0; at < v.length; at += 1) {
      const one = ${writerIn(program, element)}(v[at]);
      if (one === null) return null;
      all += at === 0 ? one : ',' + one;
    }
    return '[' + all + ']';`,
  record: (def: z.core.$ZodRecordDef & { mode?: string }, program: Program, checks: string) =>
    recordWriter(def, program, checks),
  object: ({ shape, catchall }: z.core.$ZodObjectDef, program: Program, checks: string) =>
    catchall ? null : objectWriter(shape, program, checks),
  union: (def: z.core.$ZodDiscriminatedUnionDef, program: Program, checks: string) =>
    taggedWriter(def, program, checks),
  pipe: (def: z.core.$ZodPipeDef & Partial<z.core.$ZodCodecDef>, program: Program, checks: string) =>
    codecWriter(def, program, checks),
};

const oneOf = (values: readonly z.core.util.Literal[], program: Program, checks: string): string | null => {
  if (values.some((value) => value === undefined || typeof value === 'bigint' || Number.isNaN(value)))
    return null;
  const texts = program.constant(new Map(values.map((value) => [value, JSON.stringify(value)])));
  return `return true${checks} ? ${texts}.get(v) ?? null : null;`;
};

const recordWriter = (
  { keyType, valueType, mode }: z.core.$ZodRecordDef & { mode?: string },
  program: Program,
  checks: string,
): string | null => {
  const keyFits = conditionOf(keyType, program);
  // Keys that can be counted would all have to be there.
  if (!keyFits || (mode !== undefined && mode !== 'strict') || keyType._zod.values) return null;
  return `
    if (!(${OBJECT}${checks}) || Object.getOwnPropertySymbols(v).length > 0) return null;
    const prototype = Object.getPrototypeOf(v);
    if (prototype !== Object.prototype && prototype !== null) return null;
    let all = '';
    for (const key of Object.keys(v)) {
      const one = ${writerIn(program, valueType)}(v[key]);
      if (one === null || key === '__proto__' || !(${keyFits('key')})) return null;
      all += (all === '' ? '' : ',') + quoted(key) + ':' + one;
    }
    return '{' + all + '}';`;
};

const objectWriter = (
  shape: Readonly<Record<string, z.core.$ZodType>>,
  program: Program,
  checks: string,
): string | null => {
  const names = Object.keys(shape);
  // What may be absent, or is put in where it is absent, is left to zod.
  if (names.some((name) => name === '__proto__' || shape[name]!._zod.optin || shape[name]!._zod.optout)) {
    return null;
  }
  const fields = names.map((name, at) => {
    const write = writerIn(program, shape[name]!);
    return `const f${at} = ${write}(v[${literal(name)}]);\n if (f${at} === null) return null;`;
  });
  const parts = names.map((name, at) => `${literal(`${at === 0 ? '' : ','}${literal(name)}:`)} + f${at}`);
  return `
    if (!(${OBJECT}${checks})) return null;
    ${fields.join('\n')}
    return ${["'{'", ...parts, "'}'"].join(' + ')};`;
};

/** Options that are told apart by a literal, and by nothing that is encoded itself. */
const taggedWriter = (
  { discriminator: tag, options }: z.core.$ZodDiscriminatedUnionDef,
  program: Program,
  checks: string,
): string | null => {
  if (tag === undefined) return null;
  const cases: string[] = [];
  for (const option of options) {
    const { shape } = option._zod.def as Partial<z.core.$ZodObjectDef>;
    const def = shape?.[tag]?._zod.def as z.core.$ZodLiteralDef<z.core.util.Literal> | undefined;
    if (def?.type !== 'literal' || !def.values.every((value) => typeof value === 'string')) return null;
    const write = writerIn(program, option);
    for (const value of def.values) cases.push(`case ${literal(value)}: return ${write}(v);`);
  }
  return `
    if (!(${OBJECT}${checks})) return null;
    switch (v[${literal(tag)}]) {
      ${cases.join('\n')}
      default: return null;
    }`;
};

const codecWriter = (
  def: z.core.$ZodPipeDef & Partial<z.core.$ZodCodecDef>,
  program: Program,
  checks: string,
): string | null => {
  const { reverseTransform } = def;
  const fits = conditionOf(def.out, program);
  if (!reverseTransform || !fits) return null;
  return `
    if (!(${fits('v')}${checks})) return null;
    const payload = { value: v, issues: [] };
    const turned = ${program.constant(reverseTransform)}(v, payload);
    if (payload.issues.length > 0 || turned instanceof Promise) return null;
    return ${writerIn(program, def.in)}(turned);`;
};

const numberFits = ({ format }: { format?: string }): Condition | null => {
  if (format === 'safeint') return (v) => `Number.isSafeInteger(${v})`;
  return format === undefined ? (v) => `Number.isFinite(${v})` : null;
};

/** Whether a value fits a schema that leaves it as it is; null where that is not known. */
const conditionOf = (schema: z.core.$ZodType, program: Program): Condition | null => {
  const def = schema._zod.def as Def & { format?: string };
  const fits = def.type === 'number' ? numberFits(def) : typeFits(def);
  const checks = checksOf(def, program);
  if (!fits || !checks || def.coerce) return null;
  return (v) => [fits, ...checks].map((condition) => condition(v)).join(' && ');
};

const typeFits = ({ type, format }: Def & { format?: string }): Condition | null =>
  (type === 'string' || type === 'bigint') && format === undefined
    ? (v) => `typeof ${v} === ${literal(type)}`
    : null;

/** zod checks what is to be encoded, and not what comes out. Null where there is a check that is not known. */
const checksOf = ({ checks = [] }: Def, program: Program): Condition[] | null => {
  const known = checks.map(({ _zod: { def } }) =>
    CHECKS[def.check as keyof typeof CHECKS]?.(def as never, program),
  );
  return known.every((check) => check !== undefined && check !== null) ? known : null;
};

/** A number as it is written in JavaScript; null for a time. */
const numeral = (limit: z.core.util.Numeric): string | null => {
  if (typeof limit === 'bigint') return `(${limit}n)`;
  return typeof limit === 'number' ? `(${limit})` : null;
};

const compared = (operator: string, limit: z.core.util.Numeric): Condition | null => {
  const than = numeral(limit);
  return than === null ? null : (v) => `${v} ${operator} ${than}`;
};

const CHECKS = {
  min_length: ({ minimum }: z.core.$ZodCheckMinLengthDef) => lengthOf('>=', minimum),
  max_length: ({ maximum }: z.core.$ZodCheckMaxLengthDef) => lengthOf('<=', maximum),
  greater_than: ({ value, inclusive }: z.core.$ZodCheckGreaterThanDef) =>
    compared(inclusive ? '>=' : '>', value),
  less_than: ({ value, inclusive }: z.core.$ZodCheckLessThanDef) => compared(inclusive ? '<=' : '<', value),
  string_format: (
    { format, pattern }: z.core.$ZodCheckStringFormatDef,
    program: Program,
  ): Condition | null => {
    // A global or sticky pattern remembers where it stopped.
    if (format !== 'regex' || !pattern || pattern.global || pattern.sticky) return null;
    const name = program.constant(pattern);
    return (v) => `${name}.test(${v})`;
  },
};

const lengthOf =
  (operator: string, limit: number): Condition =>
  (v) =>
    `${v}.length ${operator} (${limit})`;
