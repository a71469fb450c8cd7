import { describe, expect, it } from '@jest/globals';
import { arbitraryOf } from '@gridbourse/testing/arbitrary';
import fc from 'fast-check';
import { z } from 'zod';
import { EventCatalogue } from './catalogue.ts';
import { cloudEventTypeOf, eventFamily, type EventOf, nextVersion } from './define.ts';
import { micros } from './fields.ts';
import { versionsOf, wireSchemaOf } from './wire-schema.ts';

const basket = eventFamily('shop', 'basket');

const itemAddedV1 = basket(
  'ItemAdded',
  'Something was put into the basket.',
  z.object({ item: z.string(), price: z.int().min(0).max(1_000_000) }),
);

// Prices were whole dollars.
const itemAddedV2 = nextVersion(itemAddedV1, {
  schema: z.object({ item: z.string(), priceMicros: micros }),
  upcast: ({ item, price }) => ({ item, priceMicros: BigInt(price) * 1_000_000n }),
});

// One item is a quantity of one.
const itemAdded = nextVersion(itemAddedV2, {
  schema: z.object({ item: z.string(), priceMicros: micros, quantity: z.int().min(1) }),
  upcast: (fields) => ({ ...fields, quantity: 1 }),
});

const catalogue = new EventCatalogue<EventOf<typeof itemAdded>>([itemAdded]);
const read = (schemaVersion: number, data: unknown) =>
  catalogue.decode({ type: 'ItemAdded', schemaVersion, data });
const codeOf = (action: () => unknown): unknown => {
  try {
    return action();
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('an event of several versions', () => {
  it('is read in any of them and is always given in the newest', () => {
    const event = { type: 'ItemAdded', item: 'tea', priceMicros: 3_000_000n, quantity: 1 };
    expect(read(1, { item: 'tea', price: 3 })).toEqual(event);
    expect(read(2, { item: 'tea', priceMicros: '3000000' })).toEqual(event);
    expect(read(3, { item: 'tea', priceMicros: '3000000', quantity: 1 })).toEqual(event);
  });

  it('is written in the newest', () => {
    expect(catalogue.encode({ type: 'ItemAdded', item: 'tea', priceMicros: 1n, quantity: 2 })).toEqual({
      type: 'ItemAdded',
      schemaVersion: 3,
      data: { item: 'tea', priceMicros: '1', quantity: 2 },
    });
    expect(cloudEventTypeOf(itemAdded)).toBe('gridbourse.shop.ItemAdded.v3');
    expect(itemAdded.description).toBe('Something was put into the basket.');
  });

  it('can be turned, whatever an old one says, and fits what is written now', () => {
    expect(versionsOf(itemAdded)).toEqual([1, 2, 3]);
    for (const version of versionsOf(itemAdded)) {
      fc.assert(
        fc.property(arbitraryOf(wireSchemaOf(itemAdded, version)), (data) => {
          const event = read(version, data);
          expect(read(version, data)).toEqual(event);
          expect(catalogue.decode(catalogue.encode(event))).toEqual(event);
        }),
      );
    }
  });

  it('is refused in a version that it will have or never had', () => {
    const data = { item: 'tea', priceMicros: '3000000', quantity: 1 };
    expect(codeOf(() => read(4, data))).toBe('newer_event');
    for (const version of [0, -1, 1.5, NaN]) {
      expect(codeOf(() => read(version, data))).toBe('event_not_decodable');
    }
    expect(codeOf(() => read(1, data))).toBe('event_not_decodable');
  });

  it('is refused with an error of its own when an upcaster fails or gives what does not fit', () => {
    const broken = (upcast: () => { item: string; price: number }) =>
      new EventCatalogue([nextVersion(itemAddedV1, { schema: itemAddedV1.schema, upcast })]);
    const old = { type: 'ItemAdded', schemaVersion: 1, data: { item: 'tea', price: 3 } };
    const throwing = broken(() => {
      throw new RangeError('not total');
    });
    expect(codeOf(() => throwing.decode(old))).toBe('event_not_upcastable');
    const misfit = broken(() => ({ item: 'tea', price: -1 }));
    expect(codeOf(() => misfit.decode(old))).toBe('event_not_upcastable');
  });
});

describe('a catalogue', () => {
  it('refuses two events of one name, and fields that would hide the type', () => {
    expect(() => new EventCatalogue([itemAddedV1, itemAdded])).toThrow('defined twice');
    const hiding = basket('Hiding', 'x', z.object({ type: z.string() }));
    expect(() => new EventCatalogue([hiding])).toThrow('a field named "type"');
    const formerly = nextVersion(hiding, { schema: z.object({}), upcast: () => ({}) });
    expect(() => new EventCatalogue([formerly])).toThrow('a field named "type"');
  });

  it('does not encode what does not fit', () => {
    const tooMuch = { type: 'ItemAdded', item: 'tea', priceMicros: 10n ** 21n, quantity: 1 } as const;
    expect(codeOf(() => catalogue.encode(tooMuch))).toBe('event_not_encodable');
  });
});
