import { describe, expect, it } from '@jest/globals';
import { arbitraryOf } from '@gridbourse/testing/arbitrary';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { misreads } from '../src/compatibility/misreads.ts';
import { incompatibilities } from '../src/compatibility/index.ts';
import { type JsonSchema, publishedEvents, wireSchemaOf } from '../src/index.ts';
import { editedSchemas, schemas } from './schema-edits.ts';

const validates = (schema: JsonSchema): ((value: unknown) => boolean) => {
  const validate = new Ajv2020({ strict: false }).compile(schema);
  return (value) => validate(value);
};

/** Values of a schema; none for one that says the impossible, as an edit can. */
const someValues = (schema: JsonSchema, seed: number): unknown[] => {
  try {
    return fc.sample(arbitraryOf(schema), { numRuns: 20, seed });
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
      { numRuns: 1_000 },
    );
    expect(judgedReadable).toBeGreaterThan(200);
  });

  it('sees every edit of a published event that a value of it can show', () => {
    fc.assert(
      fc.property(fc.constantFrom(...publishedEvents), fc.integer(), (event, seed) => {
        const before = wireSchemaOf(event);
        const required = before['required'] as string[];
        for (const name of required) {
          const properties = { ...(before['properties'] as Record<string, JsonSchema>) };
          delete properties[name];
          const after = { ...before, properties, required: required.filter((other) => other !== name) };
          const accepts = validates({ ...before, $id: undefined } as never);
          expect(someValues(after, seed).some(accepts)).toBe(false);
          expect(misreads(after, before)).toMatchObject([{ path: `/${name}`, keyword: 'required' }]);
        }
      }),
      { numRuns: 20 },
    );
  });
});
