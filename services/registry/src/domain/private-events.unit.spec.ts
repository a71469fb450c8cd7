import { describe, expect, it } from '@jest/globals';
import { type EncodedEvent, wireSchemaOf } from '@gridbourse/events';
import { arbitraryOf } from '@gridbourse/testing/arbitrary';
import fc from 'fast-check';
import { registryCatalogue } from './private-events.ts';

const kept = registryCatalogue.all().filter(({ visibility }) => visibility === 'private');

describe('an event that the registry keeps to itself', () => {
  it.each(kept.map((event) => [event.type, event] as const))(
    '%s is the same after it was encoded, stored as JSON and decoded',
    (type, definition) => {
      fc.assert(
        fc.property(arbitraryOf(wireSchemaOf(definition)), (data) => {
          const event = registryCatalogue.decode({ type, schemaVersion: definition.version, data });
          const stored = JSON.parse(JSON.stringify(registryCatalogue.encode(event))) as EncodedEvent;
          expect(registryCatalogue.decode(stored)).toEqual(event);
        }),
        { numRuns: 50 },
      );
    },
  );
});
