import { describe, expect, it } from '@jest/globals';
import { type EncodedEvent, wireSchemaOf } from '@gridbourse/events';
import { arbitraryOf } from '@gridbourse/testing/arbitrary';
import fc from 'fast-check';
import { orchestratorCatalogue } from './catalogue.ts';

const kept = orchestratorCatalogue.all().filter(({ visibility }) => visibility === 'private');

describe('an event that the orchestrator keeps to itself', () => {
  it.each(kept.map((event) => [event.type, event] as const))(
    '%s is the same after it was encoded, stored as JSON and decoded',
    (type, definition) => {
      fc.assert(
        fc.property(arbitraryOf(wireSchemaOf(definition)), (data) => {
          const event = orchestratorCatalogue.decode({ type, schemaVersion: definition.version, data });
          const stored = JSON.parse(JSON.stringify(orchestratorCatalogue.encode(event))) as EncodedEvent;
          expect(orchestratorCatalogue.decode(stored)).toEqual(event);
        }),
        { numRuns: 50 },
      );
    },
  );
});
