import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ID_PREFIXES, type IdKind, idFromDigest, isId, newId } from './ids.ts';
import { seededRandom } from './random.ts';

const kinds = fc.constantFrom(...(Object.keys(ID_PREFIXES) as IdKind[]));
const instants = fc.integer({ min: 0, max: 2 ** 48 });

describe('ids', () => {
  it('carry their kind and are recognised as that kind only', () => {
    fc.assert(
      fc.property(kinds, kinds, instants, fc.integer(), (kind, other, now, seed) => {
        const id = newId(kind, now, seededRandom(seed));
        expect(isId(kind, id)).toBe(true);
        expect(isId(other, id)).toBe(kind === other);
      }),
    );
  });

  it('sort by the time they were made', () => {
    fc.assert(
      fc.property(instants, instants, fc.integer(), (a, b, seed) => {
        fc.pre(a < b);
        const random = seededRandom(seed);
        expect(newId('order', a, random) < newId('order', b, random)).toBe(true);
      }),
    );
  });

  it('are the same for the same digest', () => {
    const digest = 'ab'.repeat(32);
    expect(idFromDigest('order', digest)).toBe(idFromDigest('order', digest));
    expect(isId('order', idFromDigest('order', digest))).toBe(true);
    expect(idFromDigest('order', 'ac' + digest.slice(2))).not.toBe(idFromDigest('order', digest));
  });
});
