import { decodeCursor } from '@gridbourse/api';
import { invalid } from '@gridbourse/kernel';

const MAX_BIGINT = 2n ** 63n - 1n;

/**
 * The keys of a cursor whose first is a 64-bit number and whose others are texts; null for the first page.
 * @throws DomainError `invalid_cursor`
 */
export const keysOfCursor = (cursor: string | undefined, length: number): readonly string[] | null => {
  const keys = decodeCursor(cursor, length)?.map(String);
  if (!keys) return null;
  if (/^\d{1,19}$/.test(keys[0]!) && BigInt(keys[0]!) <= MAX_BIGINT) return keys;
  throw invalid('invalid_cursor', 'the cursor is not one that this list gave out', [
    { pointer: '/cursor', message: 'expected the nextCursor of an earlier page' },
  ]);
};
