/** Bytes of a chunk. */
export const CHUNK_BYTES = 256 * 1_024;

/** Chunks that are kept for who needs one next: 16 MiB. */
const MOST_IDLE = 64;

/**
 * Memory for what is sent. What is not given back is collected as garbage like any other; but memory outside of the heap that
 * comes and goes has the collector run far more often than the heap would need it.
 */
const idle: Buffer[] = [];

/** @param bytes that it must have room for. @returns one with whatever it had before */
export const takeChunk = (bytes = CHUNK_BYTES): Buffer =>
  (bytes <= CHUNK_BYTES ? idle.pop() : undefined) ?? Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes));

/** Nobody reads or writes it any more. Larger ones are left to the collector. */
export const giveBack = (chunk: Buffer): void => {
  if (chunk.length === CHUNK_BYTES && idle.length < MOST_IDLE) idle.push(chunk);
};
