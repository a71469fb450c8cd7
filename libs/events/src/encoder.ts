import { z } from 'zod';

/** Stands for a value that only zod itself can judge: perhaps it does not fit, perhaps this encoder is too simple for it. */
export const UNJUDGED = Symbol('unjudged');

/** @returns what JSON writes as it would write what `z.encode` returns; or UNJUDGED */
export type Encoder = {
  (value: unknown): unknown;
  /** Nothing it takes is encoded as something else, so what has no more than it knows is given back as it is. */
  readonly plain?: true;
};

type Def = z.core.$ZodTypeDef & { readonly checks?: readonly z.core.$ZodCheck[]; readonly coerce?: boolean };
type Check = (value: never) => boolean;
type Limit = z.core.util.Numeric;
type Fields = Readonly<Record<string, unknown>>;

/**
 * An encoder of a schema that is several times as fast as zod, which encodes by trying a value twice at every check. It
 * knows the kinds of schema that events are made of and leaves the others to zod, each in its place. What it returns has
 * passed every check that zod would make; what it doubts, it leaves unjudged.
 */
export const encoderOf = (schema: z.core.$ZodType): Encoder => knownEncoder(schema) ?? zodEncoder(schema);

/** As `encoderOf`; null where the schema as a whole has to be left to zod. */
export const knownEncoder = (schema: z.core.$ZodType): Encoder | null => {
  const def = schema._zod.def as Def;
  const build = BUILDERS[def.type as keyof typeof BUILDERS] as ((def: never) => Encoder | null) | undefined;
  const checks = checksOf(def);
  if (!build || !checks || def.coerce) return null;
  const encode = build(def as never);
  return encode && checks.length > 0 ? checked(encode, checks) : encode;
};

const zodEncoder =
  (schema: z.core.$ZodType): Encoder =>
  (value) => {
    const encoded = z.safeEncode(schema, value);
    return encoded.success ? encoded.data : UNJUDGED;
  };

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const plain = (encode: (value: unknown) => unknown): Encoder =>
  Object.assign(encode, { plain: true } as const);

/** As plain as what it is made of. */
const asPlainAs = (parts: readonly Encoder[], encode: (value: unknown) => unknown): Encoder =>
  parts.every((part) => part.plain) ? plain(encode) : encode;

const leaf = (fits: (value: unknown) => boolean): Encoder =>
  plain((value) => (fits(value) ? value : UNJUDGED));

/** By kind of schema. Each gives null for a variant that it does not know. */
const BUILDERS = {
  string: (def: z.core.$ZodStringDef & { format?: string }) =>
    def.format === undefined ? leaf((value) => typeof value === 'string') : null,
  number: ({ format }: z.core.$ZodNumberDef & { format?: string }) => {
    if (format === 'safeint') return leaf(Number.isSafeInteger);
    return format === undefined ? leaf(Number.isFinite) : null;
  },
  bigint: (def: z.core.$ZodBigIntDef & { format?: string }) =>
    def.format === undefined ? leaf((value) => typeof value === 'bigint') : null,
  boolean: () => leaf((value) => typeof value === 'boolean'),
  null: () => leaf((value) => value === null),
  literal: ({ values }: z.core.$ZodLiteralDef<z.core.util.Literal>) => {
    const all = new Set<unknown>(values);
    return leaf((value) => all.has(value));
  },
  enum: ({ entries }: z.core.$ZodEnumDef) => {
    const all = Object.values(entries);
    // A numeric enum of TypeScript also has its names backwards.
    if (!all.every((value) => typeof value === 'string')) return null;
    const names = new Set<unknown>(all);
    return leaf((value) => names.has(value));
  },
  nullable: ({ innerType }: z.core.$ZodNullableDef) => {
    const inner = encoderOf(innerType);
    return asPlainAs([inner], (value) => (value === null ? null : inner(value)));
  },
  array: ({ element }: z.core.$ZodArrayDef) => {
    const encode = encoderOf(element);
    return asPlainAs([encode], (value) => {
      if (!Array.isArray(value)) return UNJUDGED;
      const all: unknown[] = [];
      let same = encode.plain === true;
      for (let at = 0; at < value.length; at += 1) {
        const one = encode(value[at]);
        if (one === UNJUDGED) return UNJUDGED;
        same &&= one === value[at];
        all.push(one);
      }
      return same ? (value as unknown[]) : all;
    });
  },
  record: ({ keyType, valueType, mode }: z.core.$ZodRecordDef & { mode?: string }) => {
    // Keys that can be counted would all have to be there.
    if ((mode !== undefined && mode !== 'strict') || keyType._zod.values) return null;
    return recordEncoder(encoderOf(keyType), encoderOf(valueType));
  },
  object: ({ shape, catchall }: z.core.$ZodObjectDef) => (catchall ? null : objectEncoder(shape)),
  union: ({ discriminator, options }: z.core.$ZodDiscriminatedUnionDef) =>
    discriminator === undefined ? null : taggedEncoder(discriminator, options),
  pipe: (def: z.core.$ZodPipeDef & Partial<z.core.$ZodCodecDef>) => codecEncoder(def),
};

const recordEncoder =
  (encodeKey: Encoder, encodeValue: Encoder): Encoder =>
  (value) => {
    if (!isObject(value) || Object.getOwnPropertySymbols(value).length > 0) return UNJUDGED;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return UNJUDGED;
    const all: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      const one = encodeValue(value[key]);
      if (one === UNJUDGED || key === '__proto__' || encodeKey(key) !== key) return UNJUDGED;
      all[key] = one;
    }
    return all;
  };

const objectEncoder = (shape: Readonly<Record<string, z.core.$ZodType>>): Encoder | null => {
  const names = Object.keys(shape);
  // What may be absent, or is put in where it is absent, is left to zod.
  if (names.some((name) => name === '__proto__' || shape[name]!._zod.optin || shape[name]!._zod.optout)) {
    return null;
  }
  const encoders = names.map((name) => encoderOf(shape[name]!));
  const copied = (value: Fields): unknown => {
    const all: Record<string, unknown> = {};
    for (let at = 0; at < names.length; at += 1) {
      const name = names[at]!;
      const one = encoders[at]!(value[name]);
      if (one === UNJUDGED || one === undefined) return UNJUDGED;
      all[name] = one;
    }
    return all;
  };
  if (!encoders.every((encoder) => encoder.plain))
    return (value) => (isObject(value) ? copied(value) : UNJUDGED);
  return plain((value) => {
    if (!isObject(value)) return UNJUDGED;
    // JSON would ask an object of a class what it is to be written as.
    if (Object.getPrototypeOf(value) !== Object.prototype) return copied(value);
    const given = Object.keys(value);
    let same = given.length === names.length;
    for (let at = 0; at < names.length; at += 1) {
      const name = names[at]!;
      const field = value[name];
      const one = encoders[at]!(field);
      if (one === UNJUDGED || one === undefined) return UNJUDGED;
      same &&= one === field && given[at] === name;
    }
    return same ? value : copied(value);
  });
};

/** Options that are told apart by a literal, and by nothing that is encoded itself. */
const taggedEncoder = (tag: string, options: readonly z.core.$ZodType[]): Encoder | null => {
  const byTag = new Map<unknown, Encoder>();
  for (const option of options) {
    const literal = ((option._zod.def as Partial<z.core.$ZodObjectDef>).shape?.[tag]?._zod.def ??
      null) as z.core.$ZodLiteralDef<z.core.util.Literal> | null;
    if (literal?.type !== 'literal') return null;
    for (const value of literal.values) byTag.set(value, encoderOf(option));
  }
  return asPlainAs([...byTag.values()], (value) =>
    isObject(value) ? (byTag.get(value[tag])?.(value) ?? UNJUDGED) : UNJUDGED,
  );
};

const codecEncoder = (def: z.core.$ZodPipeDef & Partial<z.core.$ZodCodecDef>): Encoder | null => {
  const { reverseTransform } = def;
  if (!reverseTransform) return null;
  const [encodeOut, encodeIn] = [encoderOf(def.out), encoderOf(def.in)];
  return (value) => {
    const out = encodeOut(value);
    if (out === UNJUDGED) return UNJUDGED;
    const payload: z.core.ParsePayload = { value: out, issues: [] };
    const turned: unknown = reverseTransform(out, payload);
    return payload.issues.length > 0 || turned instanceof Promise ? UNJUDGED : encodeIn(turned);
  };
};

/** zod checks what is to be encoded, and not what comes out. */
const checked = (encode: Encoder, checks: readonly Check[]): Encoder =>
  asPlainAs([encode], (value) => {
    const encoded = encode(value);
    if (encoded === UNJUDGED) return UNJUDGED;
    for (const fits of checks) if (!fits(value as never)) return UNJUDGED;
    return encoded;
  });

/** Null where there is one that is not known. */
const checksOf = ({ checks = [] }: Def): Check[] | null => {
  const known = checks.map(({ _zod: { def } }) => CHECKS[def.check as keyof typeof CHECKS]?.(def as never));
  return known.every((check) => check !== undefined && check !== null) ? known : null;
};

const CHECKS = {
  min_length:
    ({ minimum }: z.core.$ZodCheckMinLengthDef): Check =>
    ({ length }: { length: number }) =>
      length >= minimum,
  max_length:
    ({ maximum }: z.core.$ZodCheckMaxLengthDef): Check =>
    ({ length }: { length: number }) =>
      length <= maximum,
  greater_than:
    ({ value: limit, inclusive }: z.core.$ZodCheckGreaterThanDef): Check =>
    (value: Limit) =>
      inclusive ? value >= limit : value > limit,
  less_than:
    ({ value: limit, inclusive }: z.core.$ZodCheckLessThanDef): Check =>
    (value: Limit) =>
      inclusive ? value <= limit : value < limit,
  string_format: ({ format, pattern }: z.core.$ZodCheckStringFormatDef): Check | null =>
    // A global or sticky pattern remembers where it stopped.
    format === 'regex' && pattern && !pattern.global && !pattern.sticky
      ? (value: string) => pattern.test(value)
      : null,
};
