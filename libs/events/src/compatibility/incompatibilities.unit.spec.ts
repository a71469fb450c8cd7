import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { encodedSchemaOf } from '../wire-schema.ts';
import { incompatibilities } from './incompatibilities.ts';

/** Who is left behind by a change, where, and by which keyword: `old /by enum`. */
const verdict = (before: z.ZodType, after: z.ZodType): string[] =>
  incompatibilities(encodedSchemaOf(before), encodedSchemaOf(after)).map(
    ({ who, path, keyword }) => `${who.split(' ')[0]} ${path} ${keyword}`,
  );

const field = (schema: z.ZodType): z.ZodObject => z.object({ leaseId: z.string(), x: schema });
const without = z.object({ leaseId: z.string() });
const inner = (schema: z.ZodType): z.ZodType => z.object({ list: z.array(z.object({ y: schema })) });
const a = z.object({ kind: z.literal('a'), n: z.int() });
const b = z.object({ kind: z.literal('b'), t: z.string() });
const c = z.object({ kind: z.literal('c') });

type Row = [change: string, before: z.ZodType, after: z.ZodType, leftBehind: string[], undone: string[]];

/** Each change, whom it leaves behind, and whom its undoing leaves behind. */
const changes: Row[] = [
  ['a required field more', without, field(z.string()), ['new /x required'], ['old /x required']],
  ['an optional field more', without, field(z.string().optional()), [], []],
  ['a field with a default more', without, field(z.string().default('-')), [], []],
  [
    'a required field made optional',
    field(z.string()),
    field(z.string().optional()),
    ['old /x required'],
    ['new /x required'],
  ],
  [
    'a field that may be null',
    field(z.string()),
    field(z.string().nullable()),
    ['old /x enum'],
    ['new /x enum'],
  ],
  [
    'an enum value more',
    field(z.enum(['a', 'b'])),
    field(z.enum(['a', 'b', 'c'])),
    ['old /x enum'],
    ['new /x enum'],
  ],
  [
    'an enum value renamed',
    field(z.enum(['a', 'b'])),
    field(z.enum(['a', 'B'])),
    ['old /x enum', 'new /x enum'],
    ['old /x enum', 'new /x enum'],
  ],
  ['an enum that became any text', field(z.enum(['a'])), field(z.string()), ['old /x type'], ['new /x type']],
  [
    'a literal that became an enum',
    field(z.literal('a')),
    field(z.enum(['a', 'b'])),
    ['old /x enum'],
    ['new /x enum'],
  ],
  [
    'another type',
    field(z.string()),
    field(z.int()),
    ['old /x type', 'new /x type'],
    ['old /x type', 'new /x type'],
  ],
  ['whole numbers that may be broken', field(z.int()), field(z.number()), ['old /x type'], ['new /x type']],
  ['a lower minimum', field(z.int().min(1)), field(z.int().min(0)), ['old /x minimum'], ['new /x minimum']],
  ['a higher maximum', field(z.int().max(7)), field(z.int().max(8)), ['old /x maximum'], ['new /x maximum']],
  [
    'a minimum that is allowed itself',
    field(z.number().gt(0)),
    field(z.number().gte(0)),
    ['old /x minimum'],
    ['new /x minimum'],
  ],
  ['the same minimum of whole numbers in other words', field(z.int().gt(0)), field(z.int().min(1)), [], []],
  ['no minimum', field(z.number().min(0)), field(z.number()), ['old /x minimum'], ['new /x minimum']],
  [
    'a finer step',
    field(z.int().multipleOf(10)),
    field(z.int().multipleOf(5)),
    ['old /x multipleOf'],
    ['new /x multipleOf'],
  ],
  [
    'longer texts',
    field(z.string().max(5)),
    field(z.string().max(6)),
    ['old /x maxLength'],
    ['new /x maxLength'],
  ],
  [
    'texts of any length',
    field(z.string().max(5)),
    field(z.string()),
    ['old /x maxLength'],
    ['new /x maxLength'],
  ],
  [
    'shorter texts',
    field(z.string().min(2)),
    field(z.string().min(1)),
    ['old /x minLength'],
    ['new /x minLength'],
  ],
  [
    'another pattern',
    field(z.string().regex(/^a/)),
    field(z.string().regex(/^b/)),
    ['old /x pattern', 'new /x pattern'],
    ['old /x pattern', 'new /x pattern'],
  ],
  ['no pattern', field(z.string().regex(/^a/)), field(z.string()), ['old /x pattern'], ['new /x pattern']],
  [
    'one of two patterns less',
    field(z.string().regex(/^a/).regex(/b$/)),
    field(z.string().regex(/^a/)),
    ['old /x pattern'],
    ['new /x pattern'],
  ],
  ['no format', field(z.url()), field(z.string()), ['old /x format'], ['new /x format']],
  [
    'another format',
    field(z.url()),
    field(z.iso.datetime()),
    ['old /x format', 'new /x pattern', 'new /x format'],
    ['old /x pattern', 'old /x format', 'new /x format'],
  ],
  [
    'fewer items',
    field(z.array(z.int()).min(1)),
    field(z.array(z.int())),
    ['old /x minItems'],
    ['new /x minItems'],
  ],
  [
    'more items',
    field(z.array(z.int()).max(3)),
    field(z.array(z.int()).max(4)),
    ['old /x maxItems'],
    ['new /x maxItems'],
  ],
  [
    'items of a wider type',
    field(z.array(z.int())),
    field(z.array(z.number())),
    ['old /x/* type'],
    ['new /x/* type'],
  ],
  [
    'a list instead of one',
    field(z.string()),
    field(z.array(z.string())),
    ['old /x type', 'new /x type'],
    ['old /x type', 'new /x type'],
  ],
  [
    'an enum value more deep inside',
    inner(z.enum(['a'])),
    inner(z.enum(['a', 'b'])),
    ['old /list/*/y enum'],
    ['new /list/*/y enum'],
  ],
  [
    'a field deep inside made optional',
    inner(z.int()),
    inner(z.int().optional()),
    ['old /list/*/y required'],
    ['new /list/*/y required'],
  ],
  [
    'a variant more',
    field(z.discriminatedUnion('kind', [a, b])),
    field(z.discriminatedUnion('kind', [a, b, c])),
    ['old /x variant'],
    ['new /x variant'],
  ],
  [
    'a variant that asks for more',
    field(z.discriminatedUnion('kind', [a, c])),
    field(z.discriminatedUnion('kind', [a, c.extend({ t: z.string() })])),
    ['new /x/t required'],
    ['old /x/t required'],
  ],
  [
    'one shape that became a union',
    field(z.string()),
    field(z.union([z.string(), z.int()])),
    ['old /x type'],
    ['new /x type'],
  ],
  [
    'a union in another order',
    field(z.union([z.string(), z.int()])),
    field(z.union([z.int(), z.string()])),
    [],
    [],
  ],
  [
    'a reader that refuses unknown fields',
    field(z.object({ n: z.int(), m: z.int().optional() })),
    field(z.strictObject({ n: z.int() })),
    ['new /x/m additionalProperties'],
    ['old /x/m additionalProperties'],
  ],
  [
    'a writer that writes any field',
    field(z.object({ n: z.int().optional() })),
    field(z.looseObject({})),
    ['old /x/n type'],
    ['new /x/n type'],
  ],
  [
    'a record of wider values',
    field(z.record(z.string(), z.int())),
    field(z.record(z.string(), z.number())),
    ['old /x/* type'],
    ['new /x/* type'],
  ],
  [
    'a record with other keys',
    field(z.record(z.string().max(3), z.int())),
    field(z.record(z.string().max(4), z.int())),
    ['old /x/* propertyNames'],
    ['new /x/* propertyNames'],
  ],
  [
    'a record over an enum with a key more',
    field(z.record(z.enum(['a']), z.int())),
    field(z.record(z.enum(['a', 'b']), z.int())),
    ['old /x/b propertyNames', 'old /x/* propertyNames', 'new /x/b required'],
    ['old /x/b required', 'new /x/b propertyNames', 'new /x/* propertyNames'],
  ],
  ['anything at all', field(z.string()), field(z.unknown()), ['old /x type'], ['new /x type']],
  ['another description', field(z.string().describe('one')), field(z.string().describe('two')), [], []],
];

describe('incompatibilities', () => {
  it.each(changes)('%s', (_, before, after, leftBehind, undone) => {
    expect(verdict(before, after)).toEqual(leftBehind);
    expect(verdict(after, before)).toEqual(undone);
  });

  it('says what was there and what is', () => {
    const before = encodedSchemaOf(field(z.enum(['tenant', 'operator'])));
    const after = encodedSchemaOf(field(z.enum(['tenant', 'operator', 'court'])));
    expect(incompatibilities(before, after)).toEqual([
      {
        who: 'old consumer',
        path: '/x',
        keyword: 'enum',
        had: '"tenant" | "operator"',
        has: '"tenant" | "operator" | "court"',
      },
    ]);
  });

  it('takes nothing for compatible that it cannot judge', () => {
    const judged = (before: object, after: object): string[] =>
      incompatibilities(before as never, after as never).map(({ who, keyword }) => `${who}: ${keyword}`);
    const both = ['old consumer: cannot be judged', 'new consumer: cannot be judged'];
    expect(judged({ type: 'string' }, { type: 'string', contentEncoding: 'base64' })).toEqual(both);
    expect(judged({ type: 'string' }, { allOf: [{ type: 'string' }] })).toEqual(both);
    expect(judged({ $ref: '#/a' }, { $ref: '#/b' })).toEqual(both);
    const overlapping = { oneOf: [{ type: 'string' }, { type: 'string', maxLength: 3 }] };
    expect(judged({ type: 'string' }, overlapping)).toEqual(both);
    expect(judged(overlapping, structuredClone(overlapping))).toEqual([]);
  });

  it('tells a field of the name of an annotation from the annotation', () => {
    expect(verdict(z.object({ title: z.string() }), z.object({ title: z.int() }))).toEqual([
      'old /title type',
      'new /title type',
    ]);
  });
});
