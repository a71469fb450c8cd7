/** A place in the order of reading. Opaque: keep it and hand it back. */
export type Cursor = {
  /** xid8 as decimal text. */
  readonly tx: string;
  /** bigint as decimal text. */
  readonly position: string;
};

export const START: Cursor = { tx: '0', position: '0' };
