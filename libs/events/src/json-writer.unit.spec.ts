import { describe, expect, it } from '@jest/globals';
import { arbitraryOf } from '@gridbourse/testing/arbitrary';
import fc from 'fast-check';
import { z } from 'zod';
import { publishedEvents } from './published-language.ts';
import { micros } from './fields.ts';
import { jsonWriterOf, knownJsonWriter } from './json-writer.ts';
import { encodedSchemaOf } from './wire-schema.ts';

/** Null for what zod refuses. */
const zodWritten = (schema: z.ZodType, value: unknown): string | null => {
  const encoded = z.safeEncode(schema, value);
  return encoded.success ? JSON.stringify(encoded.data) : null;
};

/** Values of every kind that an event may wrongly have somewhere. */
const JUNK: readonly unknown[] = [
  ...[undefined, null, NaN, Infinity, -1, 0.5, 2 ** 60, '', 'x', 'x'.repeat(500_000), 7n, -(10n ** 30n)],
  ...[true, [], [null], {}, { type: 'x' }, new Date(0), Symbol('s'), () => 1, Object.create({ a: 1 })],
];

type Tree = Record<string | number, unknown>;
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null;

/** Every place of a tree: what holds it and under which name. */
const placesOf = (tree: Tree): { holder: Tree; key: string }[] =>
  Object.keys(tree).flatMap((key) => [
    { holder: tree, key },
    ...(isTree(tree[key]) ? placesOf(tree[key]) : []),
  ]);

const spoiled = (tree: Tree, at: number, how: number): void => {
  const places = placesOf(tree);
  if (places.length === 0) return;
  const { holder, key } = places[at % places.length]!;
  const what = how % (JUNK.length + 2);
  if (what === JUNK.length) delete holder[key];
  else if (what === JUNK.length + 1) holder[`${key} and more`] = holder[key];
  else holder[key] = JUNK[what];
};

describe('the JSON writer', () => {
  it.each(publishedEvents.map((definition) => [definition.type, definition.schema] as const))(
    'knows %s and writes of it what zod gives, to the letter, and nothing that zod refuses',
    (_, schema) => {
      const write = knownJsonWriter(schema)!;
      expect(write).not.toBeNull();
      const nat = fc.nat({ max: 100_000 });
      fc.assert(
        fc.property(arbitraryOf(encodedSchemaOf(schema)), nat, nat, (data, at, how) => {
          const event = z.decode(schema, data as never) as Tree;
          expect(write(event)).toBe(zodWritten(schema, event));
          spoiled(event, at, how);
          const quick = write(event);
          if (quick !== null) expect(quick).toBe(zodWritten(schema, event));
        }),
        { numRuns: 60 },
      );
    },
  );

  it('writes fields in the order of the schema, without more, and objects of classes as what they are made of', () => {
    const inner = z.object({ a: z.string(), b: z.array(z.object({ c: z.int() })).nullable() });
    const write = jsonWriterOf(z.object({ inner, amount: micros }));
    const given = { a: 'x', b: [{ c: 1 }, { c: 2 }] };
    const written = '{"inner":{"a":"x","b":[{"c":1},{"c":2}]},"amount":"1"}';
    class Written {
      a = 'x';
      b = given.b;
      toJSON(): string {
        return 'something else';
      }
    }
    for (const other of [
      given,
      { b: given.b, a: 'x' },
      { ...given, more: 1 },
      { a: 'x', b: [{ c: 1, more: 2 }, { c: 2 }] },
      new Written(),
    ]) {
      expect(write({ inner: other, amount: 1n })).toBe(written);
    }
    expect(write({ inner: { ...given, b: null }, amount: 1n })).toBe(
      '{"inner":{"a":"x","b":null},"amount":"1"}',
    );
    expect(write({ inner: { a: 'x' }, amount: 1n })).toBeNull();
    expect(write({ inner: { ...given, b: [{ c: 'no' }] }, amount: 1n })).toBeNull();
  });

  it('escapes any text, and any name of a field', () => {
    const named = z.object({
      '"\\\n': z.string(),
      '': z.string(),
      "');": z.string(),
      '\u2028${v}`': z.string(),
    });
    const [write, names] = [jsonWriterOf(named), Object.keys(named.shape)];
    const record = jsonWriterOf(z.record(z.string(), z.string()));
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\ud800', '"', '\\', '\0', '\x7f', '\u2028'),
    );
    fc.assert(
      fc.property(text, text, (one, other) => {
        const value = Object.fromEntries(names.map((name, at) => [name, at % 2 === 0 ? one : other]));
        expect(write(value)).toBe(JSON.stringify(value));
        if (one !== '__proto__') expect(record({ [one]: other })).toBe(JSON.stringify({ [one]: other }));
      }),
    );
  });

  it('writes numbers as JSON does', () => {
    const write = jsonWriterOf(z.number());
    for (const number of [0, -0, 1e21, 1e-7, 0.1, -1.5, Number.MAX_VALUE, 2 ** 53]) {
      expect(write(number)).toBe(JSON.stringify(number));
    }
    for (const number of [NaN, Infinity, -Infinity]) expect(write(number)).toBeNull();
  });

  it('judges what it knows, and has the rest judged by zod, each in its place', () => {
    const odd = z.object({
      when: z.date(),
      url: z.url(),
      either: z.union([z.string(), z.number()]),
      perhaps: z.object({ amount: micros.optional() }),
      counted: z.record(z.enum(['a', 'b']), z.int()),
    });
    const value = {
      ...{ when: new Date(0), url: 'https://a.b/', either: 1, perhaps: { amount: 3n } },
      counted: { a: 1, b: 2 },
    };
    const write = jsonWriterOf(odd);
    expect(write(value)).toBe(JSON.stringify({ ...value, perhaps: { amount: '3' } }));
    expect(write({ ...value, url: 'no' })).toBeNull();
    expect(write({ ...value, counted: { a: 1 } })).toBeNull();
    expect(write({ ...value, perhaps: {} })).toBe(JSON.stringify({ ...value, perhaps: {} }));
    // Only zod can tell a field that is missing from one that is undefined.
    expect(jsonWriterOf(z.object({ any: z.unknown() }))({})).toBeNull();
  });

  it('leaves to zod what changes, refines or remembers', () => {
    for (const schema of [
      z.string().trim(),
      z.string().regex(/a/g),
      z.object({ a: z.string() }).refine(({ a }) => a !== 'x'),
      z.looseObject({ a: z.string() }),
      z.strictObject({ a: z.string() }),
      z.object({ a: z.string().default('x') }),
      z.coerce.number(),
      z.number().multipleOf(2),
      z.enum({ One: 1, Two: 2 }),
    ]) {
      expect(knownJsonWriter(schema)).toBeNull();
    }
  });

  it.each([
    [z.string().min(2).max(3), ['ab', 'abc'], ['a', 'abcd', 5]],
    [z.int().min(1).max(3), [1, 3], [0, 4, 1.5, NaN, '1']],
    [z.number().gt(0).lt(1), [0.5], [0, 1, Infinity]],
    [z.array(z.boolean()).max(1), [[], [true]], [[true, true], [1], {}]],
    [
      z.record(z.string().max(1), z.literal(['x', 1])),
      [{ a: 'x', b: 1 }],
      [{ ab: 1 }, { a: 2 }, [], new Map()],
    ],
    [
      z.discriminatedUnion('is', [
        z.object({ is: z.literal('a') }),
        z.object({ is: z.literal('b'), n: micros }),
      ]),
      [{ is: 'a' }, { is: 'b', n: 1n }],
      [{ is: 'c' }, { is: 'b' }, {}, null],
    ],
  ] as const)('%#: takes what fits, and doubts the rest', (schema, good, bad) => {
    const write = knownJsonWriter(schema)!;
    for (const value of good) expect(write(value)).toBe(zodWritten(schema, value));
    for (const value of bad) expect([value, write(value)]).toEqual([value, null]);
  });
});
