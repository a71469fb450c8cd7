type DriverError = { code?: string; constraint?: string };

const driverErrorOf = (error: unknown): DriverError =>
  ((error as { driverError?: unknown } | null)?.driverError ?? error ?? {}) as DriverError;

/** SQLSTATE of an error that the database raised. */
export const sqlStateOf = (error: unknown): string | undefined => driverErrorOf(error).code;

/** Name of the constraint that an error is about. */
export const constraintOf = (error: unknown): string | undefined => driverErrorOf(error).constraint;

/** The driver gives 64-bit integers as text. Amounts become bigints, times and counts numbers. */
export const bigintOrNull = (value: string | null): bigint | null => (value === null ? null : BigInt(value));
export const numberOrNull = (value: string | number | null): number | null =>
  value === null ? null : Number(value);
