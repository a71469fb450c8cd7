import { describe, expect, it } from '@jest/globals';
import { type EncodedEvent, wireSchemaOf } from '@gridbourse/events';
import { newId, seededRandom } from '@gridbourse/kernel';
import { arbitraryOf } from '@gridbourse/testing/arbitrary';
import fc from 'fast-check';
import { registryCatalogue } from './private-events.ts';

const kept = registryCatalogue.all().filter(({ visibility }) => visibility === 'private');

describe('an offer that was declared when only whole GPUs were sold', () => {
  it.each([
    [
      { model: 'h100', vendor: 'nvidia', vramMiB: 81_920, interface: 'sxm' },
      {
        ...{ model: 'h100', vendor: 'nvidia', vramMiB: 81_920, interface: 'sxm' },
        sharing: { mode: 'whole' },
      },
    ],
    [null, null],
  ])('is one of whole GPUs, over ethernet', (kept, gpu) => {
    const data = {
      providerId: newId('provider', 0, seededRandom(1)),
      offerId: newId('offer', 0, seededRandom(1)),
      label: 'a',
      gpu: kept,
      nodes: [{ name: 'n1', gpus: 1, cpuMillis: 1, memoryMiB: 1, storageMiB: 1 }],
      price: { perGpu: '1', perCpuCore: '0', perMemoryGiB: '0', perStorageGiB: '0' },
      policy: { autoAccept: true, minDurationSeconds: 0, maxDurationSeconds: 60 },
      storageClasses: [],
      declaredAtMs: 1,
    };
    expect(registryCatalogue.decode({ type: 'OfferDeclared', schemaVersion: 1, data })).toMatchObject({
      ...{ label: 'a', gpu, interconnect: 'ethernet' },
      price: { perGpu: 1n },
    });
  });
});

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
