import { randomFillSync } from 'node:crypto';

/** Chance is drawn from the system in pieces of this size: asking for a few bytes costs as much as asking for these. */
const POOL_BYTES = 4_096;

const pool = Buffer.allocUnsafe(POOL_BYTES);
let used = POOL_BYTES;

/** As many random bytes, in hexadecimal digits; up to 4096. No byte is handed out twice. */
export const randomHex = (bytes: number): string => {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
};
