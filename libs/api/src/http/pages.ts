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

/** @throws DomainError `invalid_cursor` */
export const decodeCursor = (cursor: string | undefined, length: number): (string | number)[] | null => {
  if (cursor === undefined) return null;
  try {
    const keys: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (
      Array.isArray(keys) &&
      keys.length === length &&
      keys.every((key) => typeof key === 'string' || typeof key === 'number')
    ) {
      return keys;
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
