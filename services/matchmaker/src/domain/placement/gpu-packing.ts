import { type Column, pricesByColumns } from './column-program.ts';
import { WHOLE_GPU } from './request-shape.ts';

/** Pieces of one size that may sit on some models; a request for n whole GPUs is n pieces of 1,000. */
export type Pieces = {
  /** Thousandths of a GPU, 1 to 1,000. */
  readonly size: number;
  readonly count: number;
  /** 1 for each model that will do, by the model's number. */
  readonly allowed: Uint8Array;
};

const EPSILON = 1e-6;
const MAX_PIVOTS = 5_000;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

type Item = { readonly row: number; readonly cells: number; readonly worth: number };

/** Best worth of a GPU with 0, 1, 2, … cells free, and the item that reaches it (-1: leave a cell empty). */
const fillTable = (items: readonly Item[], cells: number): { worth: Float64Array; last: Int32Array } => {
  const worth = new Float64Array(cells + 1);
  const last = new Int32Array(cells + 1).fill(-1);
  for (let free = 1; free <= cells; free += 1) {
    worth[free] = worth[free - 1]!;
    for (let i = 0; i < items.length; i += 1) {
      const item = items[i]!;
      if (item.cells > free) continue;
      const value = item.worth + worth[free - item.cells]!;
      if (value > worth[free]! + 1e-9) {
        worth[free] = value;
        last[free] = i;
      }
    }
  }
  return { worth, last };
};

/** What is left of a piece's size when its own scarcity is paid. */
const itemsFor = (pieces: readonly Pieces[], prices: Float64Array, model: number, unit: number): Item[] =>
  pieces.flatMap(({ size, allowed }, row) => {
    const worth = size - prices[row]!;
    return allowed[model] === 1 && worth > 0 ? [{ row, cells: size / unit, worth }] : [];
  });

export type PackingPrices = {
  /** Thousandths that can be filled at most; never less than what any real packing fills. */
  readonly bound: number;
  /** For each model: worth of a GPU with that many thousandths free, from 0 to 1,000. */
  readonly fillWorth: readonly Float64Array[];
};

/**
 * Prices of the configuration program of GPU sharing (Gilmore and Gomory's cutting stock): each GPU takes one pattern of
 * pieces, no more pieces of a kind are used than there are, as much as possible is filled. The price of a piece is what one
 * more of its kind would fill: a small piece that completes a common large one is dear, the large one itself is cheap. What
 * a partly used GPU is worth is the best that still fits in it, each piece counted at its size less its price.
 *
 * The bound is the program's dual, and dual values bound from above whatever the prices are (weak duality), so it holds
 * though the search was cut short. Machines' borders, CPU and memory are not in it: a real packing can only be worse.
 *
 * @param gpusOfModel how many GPUs there are of each model
 */
export const priceGpuPacking = (pieces: readonly Pieces[], gpusOfModel: readonly number[]): PackingPrices => {
  const unit = pieces.reduce((common, { size }) => gcd(common, size), WHOLE_GPU);
  const cells = WHOLE_GPU / unit;
  const limits = [...pieces.map(({ count }) => count), ...gpusOfModel];
  const columnFor = (prices: Float64Array): Column | null => {
    let best: Column | null = null;
    let most = EPSILON;
    gpusOfModel.forEach((_, model) => {
      const items = itemsFor(pieces, prices, model, unit);
      const { worth, last } = fillTable(items, cells);
      const surplus = worth[cells]! - prices[pieces.length + model]!;
      if (surplus <= most) return;
      most = surplus;
      const uses = new Float64Array(limits.length);
      uses[pieces.length + model] = 1;
      let gain = 0;
      for (let free = cells; free > 0;) {
        const item = items[last[free]!];
        if (!item) {
          free -= 1;
          continue;
        }
        uses[item.row]! += 1;
        gain += pieces[item.row]!.size;
        free -= item.cells;
      }
      best = { gain, uses };
    });
    return best;
  };
  const prices = pricesByColumns(limits, columnFor, MAX_PIVOTS);
  let bound = pieces.reduce((total, { count }, row) => total + count * prices[row]!, 0);
  const fillWorth = gpusOfModel.map((gpus, model) => {
    const { worth } = fillTable(itemsFor(pieces, prices, model, unit), cells);
    bound += gpus * worth[cells]!;
    return Float64Array.from({ length: WHOLE_GPU + 1 }, (_, free) => worth[Math.floor(free / unit)]!);
  });
  return { bound, fillWorth };
};
