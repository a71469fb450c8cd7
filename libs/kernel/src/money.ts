import { DomainError } from './errors.ts';

/** An amount of USDC in millionths (USDC has six decimals on chain, so a micro is its smallest unit). */
export type Micros = bigint;

export const MICROS_PER_USDC = 1_000_000n;
export const SECONDS_PER_HOUR = 3_600n;
/** The contract keeps amounts in uint64; anything larger is refused before it gets there. */
export const MAX_MICROS: Micros = 2n ** 63n - 1n;

const DECIMAL = /^(\d{1,13})(?:\.(\d{1,6}))?$/;

/**
 * Reads a decimal amount of USDC, for example `1.25`, exactly: no floating point on the way.
 * @throws DomainError `invalid_amount` for a sign, an exponent, more than six decimals, or anything else.
 */
export const parseUsdc = (text: string): Micros => {
  const match = DECIMAL.exec(text);
  if (!match) {
    throw new DomainError(
      'invalid',
      'invalid_amount',
      `"${text.slice(0, 40)}" is not an amount: expected digits with at most six decimals, like 1.25`,
    );
  }
  return BigInt(match[1]!) * MICROS_PER_USDC + BigInt((match[2] ?? '').padEnd(6, '0'));
};

/** Writes micros as decimal USDC with all six decimals trimmed to at least two: `1.25`, `0.000001`. */
export const formatUsdc = (micros: Micros): string => {
  const sign = micros < 0n ? '-' : '';
  const absolute = micros < 0n ? -micros : micros;
  const decimals = (absolute % MICROS_PER_USDC)
    .toString()
    .padStart(6, '0')
    .replace(/0{1,4}$/, '');
  return `${sign}${absolute / MICROS_PER_USDC}.${decimals}`;
};

/**
 * What a lease has earned after so many running seconds: floor(rate x seconds / 3600). Always on the cumulative
 * seconds, so that rounding never drifts. The contract computes the same (ComputeMarket.earned).
 */
export const earnedMicros = (rateMicrosPerHour: Micros, seconds: bigint): Micros =>
  (rateMicrosPerHour * seconds) / SECONDS_PER_HOUR;

/** The lock that pays for the whole duration: ceil, so that the last second is covered. */
export const lockMicros = (rateMicrosPerHour: Micros, seconds: bigint): Micros =>
  (rateMicrosPerHour * seconds + SECONDS_PER_HOUR - 1n) / SECONDS_PER_HOUR;

export const minMicros = (a: Micros, b: Micros): Micros => (a < b ? a : b);
export const maxMicros = (a: Micros, b: Micros): Micros => (a > b ? a : b);
