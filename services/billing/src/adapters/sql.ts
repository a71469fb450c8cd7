/** SQLSTATE of an error that the database raised. */
export const sqlStateOf = (error: unknown): string | undefined => {
  const driverError = (error as { driverError?: unknown } | null)?.driverError ?? error;
  return (driverError as { code?: string } | null)?.code;
};

/** The driver gives 64-bit integers as text. Amounts become bigints, times and counts numbers. */
export const bigintOrNull = (value: string | null): bigint | null => (value === null ? null : BigInt(value));
export const numberOrNull = (value: string | number | null): number | null =>
  value === null ? null : Number(value);
