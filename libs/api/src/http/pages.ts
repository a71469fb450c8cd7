import { invalid } from '@gridbourse/kernel';
import { z, type ZodType } from 'zod';

export const MAX_PAGE = 200;

/** Query of every list: keyset pages, so that rows which arrive meanwhile shift nothing. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
  cursor: z.string().max(500).optional(),
});
export type PageQuery = z.output<typeof pageQuery>;

export const page = <T extends ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });

/** A cursor is the sort key of the last row shown, opaque to the client. */
export const encodeCursor = (keys: readonly (string | number)[]): string =>
  Buffer.from(JSON.stringify(keys)).toString('base64url');

/** What a list sorts by, so that what is no key of it never comes to the database. */
export type CursorKey = 'bigint' | 'text';

const [MIN_BIGINT, MAX_BIGINT] = [-(2n ** 63n), 2n ** 63n - 1n];

const isKey = (value: unknown, kind: CursorKey): value is string | number => {
  if (typeof value !== 'string' && typeof value !== 'number') return false;
  const text = String(value);
  // No text of Postgres holds NUL.
  if (kind === 'text') return !text.includes('\0');
  return /^-?\d{1,19}$/.test(text) && BigInt(text) >= MIN_BIGINT && BigInt(text) <= MAX_BIGINT;
};

/**
 * @param kinds of the keys, in the order in which the list sorts
 * @returns the keys as text; null for the first page
 * @throws DomainError `invalid_cursor`
 */
export const decodeCursor = (
  cursor: string | undefined,
  kinds: readonly CursorKey[],
): readonly string[] | null => {
  if (cursor === undefined) return null;
  try {
    const keys: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (
      Array.isArray(keys) &&
      keys.length === kinds.length &&
      kinds.every((kind, at) => isKey(keys[at], kind))
    ) {
      return keys.map(String);
    }
  } catch {
    // told below
  }
  throw invalid('invalid_cursor', 'the cursor is not one that this list gave out', [
    { pointer: '/cursor', message: 'expected the nextCursor of an earlier page' },
  ]);
};

/** Cuts the one row too many that was read to learn whether there is a next page. */
export const toPage = <Row, Item>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => readonly (string | number)[],
  itemOf: (row: Row) => Item,
): { items: Item[]; nextCursor: string | null } => {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(itemOf),
    nextCursor: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null,
  };
};
