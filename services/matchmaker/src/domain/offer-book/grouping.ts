import { SPREAD } from './layout.ts';

const WORTH = SPREAD.map(([, , worth]) => worth);

/** Where items lie: for each direction of SPREAD a value an item. */
export type Positions = readonly Float32Array[];

/** The direction in which these items lie furthest apart, by what a difference is worth there. */
const widest = (items: readonly number[], positions: Positions): Float32Array => {
  let best = positions[0]!;
  let most = -1;
  positions.forEach((values, direction) => {
    let least = Infinity;
    let greatest = -Infinity;
    for (const item of items) {
      const value = values[item]!;
      if (value < least) least = value;
      if (value > greatest) greatest = value;
    }
    const width = WORTH[direction]! * (greatest - least);
    if (width <= most) return;
    most = width;
    best = values;
  });
  return best;
};

/**
 * Puts items that lie together into one group: halves them across the direction in which they lie furthest apart, again and
 * again (as a k-d tree does).
 * @param count of groups, at most as many as there are items; their sizes differ by one at most
 */
export const grouped = (items: readonly number[], count: number, positions: Positions): number[][] => {
  if (count === 1) return [[...items]];
  const values = widest(items, positions);
  const sorted = [...items].sort((a, b) => values[a]! - values[b]! || a - b);
  const groups = count >> 1;
  // Groups of the larger size come last, so that all groups differ by one at most.
  const size = Math.floor(items.length / count);
  const larger = items.length - size * count;
  const middle = groups * size + Math.max(0, larger - (count - groups));
  return [
    ...grouped(sorted.slice(0, middle), groups, positions),
    ...grouped(sorted.slice(middle), count - groups, positions),
  ];
};
