import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type CursorKey, decodeCursor, encodeCursor } from './pages.ts';

const bigint = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const text = fc.string({ unit: 'grapheme' }).map((word) => word.replaceAll('\0', ''));

const key: fc.Arbitrary<{ kind: CursorKey; value: string | number }> = fc.oneof(
  fc.maxSafeInteger().map((value) => ({ kind: 'bigint' as const, value })),
  bigint.map((value) => ({ kind: 'bigint' as const, value: String(value) })),
  text.map((value) => ({ kind: 'text' as const, value })),
);

const INVALID = expect.objectContaining({ kind: 'invalid', code: 'invalid_cursor' });

describe('a cursor', () => {
  it('gives back, as text, the keys that it was made of', () => {
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 3 }), (keys) => {
        const kinds = keys.map(({ kind }) => kind);
        expect(decodeCursor(encodeCursor(keys.map(({ value }) => value)), kinds)).toEqual(
          keys.map(({ value }) => String(value)),
        );
      }),
    );
  });

  it('is null for the first page', () => {
    expect(decodeCursor(undefined, ['text'])).toBeNull();
  });

  it.each<[string, unknown, readonly CursorKey[]]>([
    ['words for a number', ['x', 'y'], ['bigint', 'text']],
    ['nothing for a number', [''], ['bigint']],
    ['half of a number', [1.5], ['bigint']],
    ['a number too large to be exact', [1e21], ['bigint']],
    ['more than 64 bits', [String(2n ** 63n)], ['bigint']],
    ['less than 64 bits', [String(-(2n ** 63n) - 1n)], ['bigint']],
    ['text that cannot be stored', ['a\0b'], ['text']],
    ['too few keys', ['1'], ['bigint', 'text']],
    ['too many keys', ['1', 'a'], ['bigint']],
    ['other things', [null], ['text']],
    ['no list', { 0: 'a', length: 1 }, ['text']],
  ])('is refused with %s', (_, keys, kinds) => {
    const cursor = Buffer.from(JSON.stringify(keys)).toString('base64url');
    expect(() => decodeCursor(cursor, kinds)).toThrow(INVALID);
  });

  it('is refused where it is no JSON at all', () => {
    expect(() => decodeCursor('abc', ['text'])).toThrow(INVALID);
  });
});
