import { describe, expect, it } from '@jest/globals';
import { arbitraryOf } from '@gridbourse/testing/arbitrary';
import fc from 'fast-check';
import { z } from 'zod';
import { publishedEvents } from './published-language.ts';
import { encoderOf, knownEncoder, UNJUDGED } from './encoder.ts';
import { micros } from './fields.ts';
import { encodedSchemaOf } from './wire-schema.ts';

const zodEncoded = (schema: z.ZodType, value: unknown): unknown => {
  const encoded = z.safeEncode(schema, value);
  return encoded.success ? encoded.data : UNJUDGED;
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

describe('the quick encoder', () => {
  it.each(publishedEvents.map((definition) => [definition.type, definition.schema] as const))(
    'knows %s and gives of it what zod gives, to the letter, and nothing that zod refuses',
    (_, schema) => {
      const encode = knownEncoder(schema)!;
      expect(encode).not.toBeNull();
      const nat = fc.nat({ max: 100_000 });
      fc.assert(
        fc.property(arbitraryOf(encodedSchemaOf(schema)), nat, nat, (data, at, how) => {
          const event = z.decode(schema, data as never) as Tree;
          const written = JSON.stringify(zodEncoded(schema, event));
          expect(JSON.stringify(encode(event))).toBe(written);
          spoiled(event, at, how);
          const quick = encode(event);
          if (quick !== UNJUDGED) {
            expect(JSON.stringify(quick)).toBe(JSON.stringify(zodEncoded(schema, event)));
          }
        }),
        { numRuns: 60 },
      );
    },
  );

  it('gives back as it is what needs no change, in the order of the schema and without more, and copies the rest', () => {
    const inner = z.object({ a: z.string(), b: z.array(z.object({ c: z.int() })).nullable() });
    const encode = encoderOf(z.object({ inner, amount: micros }));
    const given = { a: 'x', b: [{ c: 1 }] };
    expect(encode({ inner: given, amount: 1n })).toEqual({ inner: given, amount: '1' });
    expect((encode({ inner: given, amount: 1n }) as { inner: unknown }).inner).toBe(given);
    class Written {
      a = 'x';
      b = [{ c: 1 }];
      toJSON(): string {
        return 'something else';
      }
    }
    for (const other of [
      { b: given.b, a: 'x' },
      { ...given, more: 1 },
      { a: 'x', b: [{ c: 1, more: 2 }] },
      new Written(),
    ]) {
      const encoded = encode({ inner: other, amount: 1n });
      expect(JSON.stringify(encoded)).toBe(JSON.stringify({ inner: given, amount: '1' }));
    }
    expect(encode({ inner: { a: 'x' }, amount: 1n })).toBe(UNJUDGED);
    expect(encode({ inner: { ...given, b: [{ c: 'no' }] }, amount: 1n })).toBe(UNJUDGED);
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
    expect(encoderOf(odd)(value)).toEqual({ ...value, perhaps: { amount: '3' } });
    expect(encoderOf(odd)({ ...value, url: 'no' })).toBe(UNJUDGED);
    expect(encoderOf(odd)({ ...value, counted: { a: 1 } })).toBe(UNJUDGED);
    expect(encoderOf(odd)({ ...value, perhaps: {} })).toEqual({ ...value, perhaps: {} });
    // Only zod can tell a field that is missing from one that is undefined.
    expect(encoderOf(z.object({ any: z.unknown() }))({})).toBe(UNJUDGED);
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
      expect(knownEncoder(schema)).toBeNull();
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
    const encode = knownEncoder(schema)!;
    for (const value of good) expect(encode(value)).toEqual(zodEncoded(schema, value));
    for (const value of bad) expect([value, encode(value)]).toEqual([value, UNJUDGED]);
  });
});
