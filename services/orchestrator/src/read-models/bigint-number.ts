import type { ValueTransformer } from 'typeorm';

/** Instants fit a double exactly; the driver hands bigint columns over as text. */
export const bigintNumber: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: string | null) => (value === null ? null : Number(value)),
};
