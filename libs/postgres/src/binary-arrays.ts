/**
 * Arrays in the binary form in which Postgres sends and receives them. As text an array has every element escaped here and
 * unescaped there, and an append has a dozen arrays with an element an event. The driver sends a Buffer as it is.
 */

const [BOOLEAN, INT4, INT8, TEXT] = [16, 23, 20, 25];
const [HEAD_BYTES, LENGTH_BYTES] = [20, 4];

/** One dimension, counted from 1. @returns a buffer with room for the elements, which begin at HEAD_BYTES */
const opened = (type: number, values: readonly unknown[], bytes: number): Buffer => {
  const buffer = Buffer.allocUnsafe(HEAD_BYTES + values.length * LENGTH_BYTES + bytes);
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(values.includes(null) ? 1 : 0, 4);
  buffer.writeInt32BE(type, 8);
  buffer.writeInt32BE(values.length, 12);
  buffer.writeInt32BE(1, 16);
  return buffer;
};

/** A unit of UTF-16 takes three bytes of UTF-8 at most. */
const BYTES_PER_UNIT = 3;

/** For a parameter of type text[]. */
export const textArray = (values: readonly (string | null)[]): Buffer => {
  let units = 0;
  for (const value of values) if (value !== null) units += value.length;
  const buffer = opened(TEXT, values, units * BYTES_PER_UNIT);
  let at = HEAD_BYTES;
  for (const value of values) {
    const written = value === null ? -1 : buffer.write(value, at + LENGTH_BYTES);
    buffer.writeInt32BE(written, at);
    at += LENGTH_BYTES + Math.max(0, written);
  }
  return buffer.subarray(0, at);
};

/** For a parameter of type int[]. @throws RangeError for what is no integer of 32 bits */
export const intArray = (values: readonly (number | null)[]): Buffer => {
  const buffer = opened(INT4, values, values.length * 4);
  let at = HEAD_BYTES;
  for (const value of values) {
    buffer.writeInt32BE(value === null ? -1 : 4, at);
    at += LENGTH_BYTES;
    if (value !== null) at = buffer.writeInt32BE(value, at);
  }
  return buffer.subarray(0, at);
};

/** For a parameter of type bigint[]. @throws RangeError for what is no integer of 64 bits */
export const bigintArray = (values: readonly (number | bigint | null)[]): Buffer => {
  const buffer = opened(INT8, values, values.length * 8);
  let at = HEAD_BYTES;
  for (const value of values) {
    buffer.writeInt32BE(value === null ? -1 : 8, at);
    at += LENGTH_BYTES;
    if (value !== null) at = writeInt64(buffer, value, at);
  }
  return buffer.subarray(0, at);
};

/**
 * A bigint or xid8 as Postgres sends and receives it. Numbers are several times as quick to write as bigints.
 * @returns where it ends
 * @throws RangeError for what is no integer of 64 bits, or a number that does not tell it exactly
 */
export const writeInt64 = (buffer: Buffer, value: number | bigint, at: number): number => {
  if (typeof value === 'bigint') return buffer.writeBigInt64BE(value, at);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no integer that is told exactly`);
  // The upper half of a negative one is that of its two's complement.
  return buffer.writeUInt32BE(value >>> 0, buffer.writeInt32BE(Math.floor(value / 2 ** 32), at));
};

/** For a parameter of type boolean[]. */
export const booleanArray = (values: readonly (boolean | null)[]): Buffer => {
  const buffer = opened(BOOLEAN, values, values.length);
  let at = HEAD_BYTES;
  for (const value of values) {
    buffer.writeInt32BE(value === null ? -1 : 1, at);
    at += LENGTH_BYTES;
    if (value !== null) at = buffer.writeInt8(value ? 1 : 0, at);
  }
  return buffer.subarray(0, at);
};
