import { invalid } from '@gridbourse/kernel';
import type { LatestEntry, RatePolicy } from './port.ts';

export const MAX_KEY_BYTES = 256;
export const MAX_VALUE_BYTES = 65_536;
/** Nothing here is a database: what must live longer belongs into one. */
export const MAX_TTL_MS = 7 * 86_400_000;
export const MAX_BATCH = 1_000;
export const MAX_QUOTA = 1_000_000_000;
/** Instants are written with so many digits (enough for 200,000 years), so that text compares as numbers do. */
export const INSTANT_DIGITS = 15;
const MAX_INSTANT_MS = 10 ** INSTANT_DIGITS - 1;

/** Printable, so that a key can be shown in logs and typed into a console. */
const KEY = /^[\x21-\x7e]+$/;

const wholeBetween = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;

/** @throws DomainError `invalid_key` */
export const checkKey = (key: string): void => {
  if (key.length > MAX_KEY_BYTES || !KEY.test(key)) {
    throw invalid('invalid_key', `a key has 1 to ${MAX_KEY_BYTES} visible ASCII characters`);
  }
};

/** @throws DomainError `value_too_large` */
export const checkValue = (value: string): void => {
  if (value.length > MAX_VALUE_BYTES || Buffer.byteLength(value) > MAX_VALUE_BYTES) {
    throw invalid('value_too_large', `a value has at most ${MAX_VALUE_BYTES} bytes`);
  }
};

/** @throws DomainError `invalid_ttl` */
export const checkTtl = (ttlMs: number): void => {
  if (!wholeBetween(ttlMs, 1, MAX_TTL_MS)) {
    throw invalid('invalid_ttl', `a time to live is 1 to ${MAX_TTL_MS} whole milliseconds`);
  }
};

/** @throws DomainError `invalid_policy`, `invalid_cost`, `cost_above_quota` */
export const checkSpend = ({ quota, windowMs }: RatePolicy, cost: number): void => {
  if (!wholeBetween(quota, 1, MAX_QUOTA) || !wholeBetween(windowMs, 1, MAX_TTL_MS)) {
    throw invalid('invalid_policy', `expected a quota of 1 to ${MAX_QUOTA} in 1 to ${MAX_TTL_MS} ms`);
  }
  if (quota > windowMs * 1_000) {
    throw invalid('invalid_policy', 'a budget gains at most one unit a microsecond');
  }
  if (!wholeBetween(cost, 1, MAX_QUOTA)) {
    throw invalid('invalid_cost', 'a cost is a whole number of at least 1');
  }
  if (cost > quota) {
    throw invalid('cost_above_quota', `a cost of ${cost} can never be met by a quota of ${quota}`);
  }
};

/** @throws DomainError `batch_too_large` */
export const checkBatch = (items: readonly unknown[]): void => {
  if (items.length > MAX_BATCH) throw invalid('batch_too_large', `a batch has at most ${MAX_BATCH} entries`);
};

/** @throws DomainError `batch_too_large`, `invalid_key`, `value_too_large`, `invalid_instant` */
export const checkEntries = (entries: readonly LatestEntry[]): void => {
  checkBatch(entries);
  for (const { key, value, atMs } of entries) {
    checkKey(key);
    checkValue(value);
    if (!wholeBetween(atMs, 0, MAX_INSTANT_MS)) {
      throw invalid('invalid_instant', 'an instant is whole milliseconds since the epoch');
    }
  }
};
