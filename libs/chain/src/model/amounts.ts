/** Amounts are micro-USDC, rates micro-USDC per hour, times seconds. The contracts keep amounts below 2^63. */
export const MAX_AMOUNT_MICROS = 2n ** 63n - 1n;
export const MAX_UINT64 = 2n ** 64n - 1n;
export const MAX_UINT256 = 2n ** 256n - 1n;

const SECONDS_PER_HOUR = 3_600n;

/** What a lock pays for: ceil(rate x duration / 3600). */
export const costMicros = (rateMicrosPerHour: bigint, durationSeconds: bigint): bigint =>
  (rateMicrosPerHour * durationSeconds + SECONDS_PER_HOUR - 1n) / SECONDS_PER_HOUR;

/** What time alone has earned: floor(rate x elapsed / 3600). */
export const earnedMicros = (rateMicrosPerHour: bigint, elapsedSeconds: bigint): bigint =>
  (rateMicrosPerHour * elapsedSeconds) / SECONDS_PER_HOUR;

/** Zero-time, counted from the lease's start: the first second in which time has earned the whole lock. */
export const secondsToEarn = (lockMicros: bigint, rateMicrosPerHour: bigint): bigint =>
  (lockMicros * SECONDS_PER_HOUR + rateMicrosPerHour - 1n) / rateMicrosPerHour;

export const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
