import { describe, expect, it } from '@jest/globals';
import { type EncodedEvent, wireSchemaOf } from '@gridbourse/events';
import { arbitraryOf } from '@gridbourse/testing/arbitrary';
import fc from 'fast-check';
import { matchmakerCatalogue } from './event-catalogue.ts';

const kept = matchmakerCatalogue.all().filter(({ visibility }) => visibility === 'private');

describe('an event that the matchmaker keeps to itself', () => {
  it.each(kept.map((event) => [event.type, event] as const))(
    '%s is the same after it was encoded, stored as JSON and decoded',
    (type, definition) => {
      fc.assert(
        fc.property(arbitraryOf(wireSchemaOf(definition)), (data) => {
          const event = matchmakerCatalogue.decode({ type, schemaVersion: definition.version, data });
          const stored = JSON.parse(JSON.stringify(matchmakerCatalogue.encode(event))) as EncodedEvent;
          expect(matchmakerCatalogue.decode(stored)).toEqual(event);
        }),
        { numRuns: 50 },
      );
    },
  );
});
