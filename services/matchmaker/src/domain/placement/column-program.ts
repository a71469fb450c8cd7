import { invalid } from '@gridbourse/kernel';

const EPSILON = 1e-7;

/** A variable of the program: what one unit of it gains, and what it uses of each limit. */
export type Column = { readonly gain: number; readonly uses: Float64Array };

/** Finds a column that gains more than it costs at these prices of the limits; null when there is none. */
export type ColumnSource = (prices: Float64Array) => Column | null;

/** The prices of the basis: what one more of each limit would gain. */
const pricesOf = (inverse: Float64Array, gains: Float64Array): Float64Array => {
  const count = gains.length;
  const prices = new Float64Array(count);
  for (let i = 0; i < count; i += 1) {
    const gain = gains[i]!;
    if (gain === 0) continue;
    for (let j = 0; j < count; j += 1) prices[j]! += gain * inverse[i * count + j]!;
  }
  return prices;
};

const inBasis = (inverse: Float64Array, { uses }: Column): Float64Array => {
  const count = uses.length;
  const direction = new Float64Array(count);
  for (let i = 0; i < count; i += 1) {
    let sum = 0;
    for (let j = 0; j < count; j += 1) sum += inverse[i * count + j]! * uses[j]!;
    direction[i] = sum;
  }
  return direction;
};

/** The row whose variable reaches zero first as the entering one grows; of several, the one with the largest pivot. */
const leavingRow = (amounts: Float64Array, direction: Float64Array): number => {
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < amounts.length; i += 1) {
    if (direction[i]! <= EPSILON) continue;
    const ratio = amounts[i]! / direction[i]!;
    if (ratio < least - EPSILON || (ratio < least + EPSILON && direction[i]! > direction[best]!)) {
      best = i;
      least = Math.min(least, ratio);
    }
  }
  return best;
};

const pivot = (inverse: Float64Array, amounts: Float64Array, direction: Float64Array, row: number): void => {
  const count = amounts.length;
  const at = direction[row]!;
  for (let j = 0; j < count; j += 1) inverse[row * count + j]! /= at;
  amounts[row]! /= at;
  for (let i = 0; i < count; i += 1) {
    const factor = direction[i]!;
    if (i === row || factor === 0) continue;
    for (let j = 0; j < count; j += 1) inverse[i * count + j]! -= factor * inverse[row * count + j]!;
    amounts[i] = Math.max(0, amounts[i]! - factor * amounts[row]!);
  }
};

/**
 * Maximises the gain of a linear program whose columns are too many to write down: each is made when the prices ask
 * for it (column generation; revised simplex with an explicit inverse, started from "use nothing").
 *
 * @param limits how much there is of everything; not negative
 * @param maxPivots an end for programs that go in circles; the prices are then merely good ones
 * @returns the price of each limit, none below zero
 * @throws DomainError `negative_limit`
 */
export const pricesByColumns = (
  limits: readonly number[],
  columnFor: ColumnSource,
  maxPivots: number,
): Float64Array => {
  if (limits.some((limit) => !(limit >= 0))) throw invalid('negative_limit', 'limits are not negative');
  const count = limits.length;
  const inverse = new Float64Array(count * count);
  for (let i = 0; i < count; i += 1) inverse[i * count + i] = 1;
  const amounts = Float64Array.from(limits);
  const gains = new Float64Array(count);
  const slack = (row: number): Column => {
    const uses = new Float64Array(count);
    uses[row] = 1;
    return { gain: 0, uses };
  };
  for (let pivots = 0; pivots < maxPivots; pivots += 1) {
    const prices = pricesOf(inverse, gains);
    // A negative price says: leave some of this limit unused.
    let lowest = 0;
    for (let i = 1; i < count; i += 1) if (prices[i]! < prices[lowest]!) lowest = i;
    const column = prices[lowest]! < -EPSILON ? slack(lowest) : columnFor(prices);
    if (!column) break;
    const direction = inBasis(inverse, column);
    const row = leavingRow(amounts, direction);
    if (row < 0) break;
    pivot(inverse, amounts, direction, row);
    gains[row] = column.gain;
  }
  return pricesOf(inverse, gains).map((price) => Math.max(0, price));
};
