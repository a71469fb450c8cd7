import type { ValueTransformer } from 'typeorm';

/** Instants and chain ids: bigint in Postgres, text from the driver, safe integers in code. */
export const safeInteger: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: string | null) => (value === null ? null : Number(value)),
};

/** Money: bigint in Postgres and in code. */
export const money: ValueTransformer = {
  to: (value: unknown) => (typeof value === 'bigint' ? value.toString() : value),
  from: (value: string | null) => (value === null ? null : BigInt(value)),
};
