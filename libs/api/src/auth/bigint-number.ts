import type { ValueTransformer } from 'typeorm';

/** Instants are bigint in Postgres, which the driver gives as text; as milliseconds they are safe integers. */
export const bigintNumber: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: string | null) => (value === null ? null : Number(value)),
};
