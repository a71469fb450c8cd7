/** Money on the wire: decimal USDC for people, integer millionths for programs. */
export type Money = { usdc: string; micros: string };

export type Page<T> = { items: T[]; nextCursor: string | null };
