import { createHash } from 'node:crypto';

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

const hashOfBytes = (bytes: Uint8Array): number => {
  let hash = OFFSET_BASIS;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, PRIME);
  return hash;
};

/** FNV-1a over UTF-8. Keys are ids, which are ASCII and need no bytes to be made of them. */
const hashOf = (key: string): number => {
  let hash = OFFSET_BASIS;
  for (let at = 0; at < key.length; at += 1) {
    const unit = key.charCodeAt(at);
    if (unit > 0x7f) return hashOfBytes(Buffer.from(key, 'utf8'));
    hash = Math.imul(hash ^ unit, PRIME);
  }
  return hash;
};

/** The partition of a key, in [0, partitions). Never change it: keys would move and lose order. */
export const partitionOf = (key: string, partitions: number): number => {
  let hash = hashOf(key);
  // FNV's low bits are weak for short keys that differ at the end only.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
  return ((hash ^ (hash >>> 13)) >>> 0) % partitions;
};

/** A 64-bit name for a Postgres advisory lock, as the decimal text of a signed bigint. */
export const lockKey = (...parts: (string | number)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest().readBigInt64BE(0).toString();

/** How `pg_locks` shows that lock: the two halves as unsigned 32-bit numbers. */
export const lockKeyHalves = (key: string): { classid: number; objid: number } => {
  const unsigned = BigInt.asUintN(64, BigInt(key));
  return { classid: Number(unsigned >> 32n), objid: Number(unsigned & 0xffff_ffffn) };
};
