import type { ValueTransformer } from 'typeorm';

/** bigint columns arrive as text. Amounts stay exact; instants and counts are safe integers. */
export const micros: ValueTransformer = {
  to: (value: unknown) => (typeof value === 'bigint' ? value.toString() : value),
  from: (value: string | null) => (value === null ? null : BigInt(value)),
};

export const integer: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: string | null) => (value === null ? null : Number(value)),
};
