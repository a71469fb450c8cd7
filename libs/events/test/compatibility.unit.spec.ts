import { describe, expect, it } from '@jest/globals';
import { arbitraryOf } from '@gridbourse/testing/arbitrary';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { misreads } from '../src/compatibility/misreads.ts';
import { incompatibilities } from '../src/compatibility/index.ts';
import { type JsonSchema, publishedEvents, wireSchemaOf } from '../src/index.ts';
import { editedSchemas, schemas } from './schema-edits.ts';

/** How many values of a schema are tried. */
const VALUES = 10;

const ajv = new Ajv2020({ strict: false, formats: { uri: URL.canParse } });
const validates = (schema: JsonSchema): ((value: unknown) => boolean) => {
  const validate = ajv.compile(schema);
  return (value) => validate(value);
};

/** Values of a schema; none for one that says the impossible, as an edit can. */
const someValues = (schema: JsonSchema, seed: number): unknown[] => {
  try {
    return fc.sample(arbitraryOf(schema), { numRuns: VALUES, seed });
  } catch {
    return [];
  }
};

describe('the compatibility check', () => {
  it('finds a schema compatible with itself, whatever it says', () => {
    fc.assert(
      fc.property(schemas, (schema) => {
        expect(incompatibilities(schema, structuredClone(schema))).toEqual([]);
      }),
    );
  });

  it('can be relied on: where it finds nothing, a reader accepts whatever a writer may write', () => {
    let judgedReadable = 0;
    fc.assert(
      fc.property(editedSchemas, fc.integer(), ([before, after], seed) => {
        for (const [writer, reader] of [
          [before, after],
          [after, before],
        ] as const) {
          if (misreads(writer, reader).length > 0) continue;
          const accepts = validates(reader);
          const written = someValues(writer, seed);
          judgedReadable += written.length > 0 ? 1 : 0;
          for (const value of written)
            expect({ value, accepted: accepts(value) }).toEqual({ value, accepted: true });
        }
      }),
      { numRuns: 150 },
    );
    expect(judgedReadable).toBeGreaterThan(30);
  });

  it('sees every required field that a published event loses', () => {
    fc.assert(
      fc.property(fc.constantFrom(...publishedEvents), fc.nat(), fc.integer(), (event, place, seed) => {
        const { $id: _, ...before } = wireSchemaOf(event);
        const required = before['required'] as string[];
        const lost = required[place % required.length]!;
        const properties = { ...(before['properties'] as Record<string, JsonSchema>) };
        delete properties[lost];
        const after = { ...before, properties, required: required.filter((name) => name !== lost) };
        expect(misreads(after, before)).toMatchObject([{ path: `/${lost}`, keyword: 'required' }]);
        expect(someValues(after, seed).some(validates(before))).toBe(false);
      }),
      { numRuns: 12 },
    );
  });
});
