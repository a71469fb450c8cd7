import { describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cloudEventTypeOf, publishedEvents, schemaNameOf, topicOf } from '../src/index.ts';
import { readEventDocuments } from '../src/documents.ts';

type Json = Record<string, unknown>;
type Document = Json & { channels: Record<string, { address: string }>; components: { messages: Json } };

const { asyncApi, schemas } = readEventDocuments();
const document = JSON.parse(asyncApi) as Document;

/** The schema that the AsyncAPI initiative publishes. */
const specification = (): Json => {
  const path = createRequire(import.meta.url).resolve('@asyncapi/specs/schemas/3.0.0-without-$id.json');
  return JSON.parse(readFileSync(path, 'utf8')) as Json;
};

const validator = () => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  (addFormats as unknown as (ajv: Ajv) => void)(ajv);
  return ajv.compile(specification());
};

const references = (part: unknown): string[] => {
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([key, value]) =>
    key === '$ref' && typeof value === 'string' ? [value] : references(value),
  );
};

describe('the AsyncAPI document', () => {
  it('is valid AsyncAPI 3.0, and the check would see if it were not', () => {
    const validate = validator();
    const valid = validate(document);
    expect(validate.errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    expect(validate({ ...document, info: {} })).toBe(false);
    expect(validate({ ...document, operations: { x: { action: 'listen' } } })).toBe(false);
  });

  it('refers to nothing that is not there', () => {
    for (const reference of references(document)) {
      if (reference.startsWith('./schemas/')) {
        expect([...schemas.keys()]).toContain(reference.slice('./schemas/'.length));
        continue;
      }
      const target = reference
        .slice('#/'.length)
        .split('/')
        .reduce<unknown>((part, key) => (part as Json | undefined)?.[key], document);
      expect({ reference, target: typeof target }).toEqual({ reference, target: 'object' });
    }
  });

  it('has a channel for each topic and a message for each event', () => {
    expect(Object.values(document.channels).map(({ address }) => address)).toEqual(
      [...new Set(publishedEvents.map(topicOf))].sort(),
    );
    for (const event of publishedEvents) {
      expect(document.components.messages[schemaNameOf(event)]).toMatchObject({
        name: cloudEventTypeOf(event),
      });
    }
  });
});
