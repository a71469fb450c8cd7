import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@gridbourse/kernel';
import { arbitraryOf } from '@gridbourse/testing/arbitrary';
import fc from 'fast-check';
import { EventCatalogue, publishedEvents, wireSchemaOf } from '../src/index.ts';
import { readReleased } from '../tools/release-files.ts';

const catalogue = new EventCatalogue(publishedEvents);
/** Made once for each event: making them costs more than using them. */
const wireValues = new Map(publishedEvents.map((event) => [event.type, arbitraryOf(wireSchemaOf(event))]));
const overTheWire = <T>(data: T): T => JSON.parse(JSON.stringify(data)) as T;

describe('every published event', () => {
  it.each(publishedEvents.map((event) => [event.type, event] as const))(
    '%s is the same after it was encoded, sent as JSON and decoded',
    (type, definition) => {
      fc.assert(
        fc.property(wireValues.get(type)!, (data) => {
          const event = catalogue.decode({ type, schemaVersion: definition.version, data });
          const encoded = catalogue.encode(event);
          expect(encoded).toMatchObject({ type, schemaVersion: definition.version });
          expect(catalogue.decode(overTheWire(encoded))).toEqual(event);
        }),
        { numRuns: 40 },
      );
    },
  );

  it('can be read in every shape it was ever released in', () => {
    const released = readReleased();
    expect(released.length).toBeGreaterThanOrEqual(publishedEvents.length);
    for (const { name, schema } of released) {
      const [, , type, version] = /^([a-z-]+)\.(\w+)\.v(\d+)$/.exec(name) ?? [];
      fc.assert(
        fc.property(arbitraryOf(schema), (data) => {
          const event = catalogue.decode({ type: type!, schemaVersion: Number(version), data });
          expect(event.type).toBe(type);
        }),
        { numRuns: 5 },
      );
    }
  });

  it('is refused with a typed error, whatever comes instead of it', () => {
    const types = fc.oneof(fc.constantFrom(...publishedEvents.map(({ type }) => type)), fc.string());
    const versions = fc.oneof(fc.constantFrom(0, 1, 2, -1, NaN, 1.5), fc.integer());
    const codes = ['unknown_event', 'newer_event', 'event_not_decodable'];
    fc.assert(
      fc.property(types, versions, fc.anything(), (type, schemaVersion, data) => {
        try {
          catalogue.decode({ type, schemaVersion, data });
        } catch (error) {
          expect(error).toBeInstanceOf(DomainError);
          expect(codes).toContain((error as DomainError).code);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is refused with a typed error when any part of it is replaced by junk', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...wireValues).chain(([type, values]) => fc.tuple(fc.constant(type), values)),
        fc.nat(),
        fc.anything(),
        ([type, data], place, junk) => {
          const keys = Object.keys(data as object);
          const broken = { ...(data as object), [keys[place % keys.length]!]: junk };
          try {
            catalogue.decode({ type, schemaVersion: 1, data: broken });
          } catch (error) {
            expect((error as DomainError).code).toBe('event_not_decodable');
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('ignores fields it does not know, so that old and new services run side by side', () => {
    const closed = (part: unknown): boolean =>
      typeof part === 'object' &&
      part !== null &&
      Object.entries(part).some(([key, value]) =>
        key === 'additionalProperties' ? value === false : closed(value),
      );
    expect(publishedEvents.filter((event) => closed(wireSchemaOf(event)))).toEqual([]);
  });
});
