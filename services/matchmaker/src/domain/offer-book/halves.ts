import { PAIRS } from './layout.ts';

/**
 * Numbers in 15 bits, for limits only: the upper half of a single precision number, rounded up. Whole numbers up to 256 are
 * exact, larger ones less than a hundredth too large. Of two numbers the larger never has the smaller half, so what a limit on
 * halves keeps out, the same limit on the numbers keeps out as well.
 */

/** Above every number's. */
export const MOST_HALF = 0x7fff;

const single = new Float32Array(1);
const bits = new Int32Array(single.buffer);

/** @param value not negative */
export const halfOf = (value: number): number => {
  single[0] = value + 0; // never -0, which has a bit set
  if (single[0] < value) bits[0]! += 1;
  return (bits[0]! + 0xffff) >>> 16;
};

/** For what is wanted large: the larger the number, the smaller this. */
export const halfBelow = (value: number): number => MOST_HALF - halfOf(value);

/** The number of a `halfBelow`: the one that was put in, or a little more. */
export const wholeOf = (below: number): number => {
  bits[0] = (MOST_HALF - below) << 16;
  return single[0]!;
};

/** A limit in both halves of a word, each under a bit that is set. */
export const limitWord = (half: number): number => ((half | 0x8000) << 16) | half | 0x8000;

/** Columns of halves that are compared with their limits in one go. */
const ABREAST = 4;
const within = new Int32Array(PAIRS);

/**
 * Which entries of a node are within all limits: bit n stands for entry n. Two at a time: taken from a limit word, a half
 * that is not above the limit leaves the bit over it set, and borrows nothing from its neighbour.
 * @param at of the first column in a row of them, each under the limit word of the same number; a multiple of four columns
 */
export const withinLimits = (words: Int32Array, at: number, limits: Int32Array): number => {
  within.fill(-1);
  for (let column = 0, first = at; column < limits.length; column += ABREAST, first += ABREAST * PAIRS) {
    const [a, b, c, d] = [limits[column]!, limits[column + 1]!, limits[column + 2]!, limits[column + 3]!];
    for (let pair = 0, word = first; pair < PAIRS; pair += 1, word += 1) {
      within[pair]! &=
        (a - words[word]!) &
        (b - words[word + PAIRS]!) &
        (c - words[word + 2 * PAIRS]!) &
        (d - words[word + 3 * PAIRS]!);
    }
  }
  let mask = 0;
  for (let pair = 0; pair < PAIRS; pair += 1) mask |= ((within[pair]! >>> 15) & 0x1_0001) << pair;
  return (mask | (mask >>> (16 - PAIRS))) & 0xffff;
};
