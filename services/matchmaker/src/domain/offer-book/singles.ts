const single = new Float32Array(1);
const bits = new Int32Array(single.buffer);

/**
 * The largest 32-bit floating point number that is not above the value. The columns are kept in these: half the memory to read
 * through, and a field that is a little too small only says "maybe" once too often.
 */
export const notAbove = (value: number): number => {
  single[0] = value;
  if (single[0] <= value) return single[0];
  // The next one below: smaller bits for a positive number, larger ones for a negative.
  if (single[0] === 0) return -(2 ** -149);
  bits[0]! += single[0] > 0 ? -1 : 1;
  return single[0];
};
