/**
 * Entries of a node at most; more make its box too wide, fewer the tree too deep. The entries of a node lie together, field
 * by field: entry i of node n has field f at (n x FIELDS + f) x FANOUT + i, so that a question to all of them reads a few
 * cache lines.
 */
export const FANOUT = 16;

/**
 * How an offer lies in the columns, and how a box bounds many offers: the same fields for both. Everything is kept so that
 * the smaller value is the one that could suit more orders (what is wanted large is kept negated); a box is then the
 * smallest of each field, and its bits are all bits of what is in it.
 */
export const FIELD = {
  /** Unit prices, micro-USDC per hour. */
  perGpu: 0,
  perCpuCore: 1,
  perMemoryGiB: 2,
  perStorageGiB: 3,
  /** Logarithm of the price that counts most, from both sides: what is alike in price lies together. */
  priceLow: 4,
  priceHigh: 5,
  /** The place as a point on the unit sphere, from both sides: no seam at the date line or the poles. */
  xLow: 6,
  yLow: 7,
  zLow: 8,
  xHigh: 9,
  yHigh: 10,
  zHigh: 11,
  /** 1 (best) to 7. */
  tier: 12,
  /** The term of the score, from both sides. */
  reliabilityHigh: 13,
  reliabilityLow: 14,
  minDuration: 15,
  maxDuration: 16,
  /** Rank of the network between machines. */
  interconnect: 17,
  /** Eight fields each: the most on one machine and the sum over all, of GPUs, CPU, memory and storage. */
  free: 18,
  declared: 26,
} as const;
export const FIELDS = 34;

export const BITS = {
  /** Two words: the region. */
  region: 0,
  storage: 2,
  /** Two words: attributes, spread by a hash. */
  attributes: 3,
  /** Bit n: some machine has n GPUs free; bit 31: 31 or more. */
  freeGpus: 5,
  declaredGpus: 6,
} as const;
export const WORDS = 7;

/** Below and above of what boxes are told apart by, and how much a difference is worth: about as price, place and reliability weigh in a balanced score. */
export const SPREAD: readonly (readonly [low: number, high: number, worth: number])[] = [
  [FIELD.priceLow, FIELD.priceHigh, 0.5],
  [FIELD.xLow, FIELD.xHigh, 0.2],
  [FIELD.yLow, FIELD.yHigh, 0.2],
  [FIELD.zLow, FIELD.zHigh, 0.2],
  [FIELD.reliabilityLow, FIELD.reliabilityHigh, 0.3],
];

/** Number of the lowest bit that is set. */
export const lowestBit = (mask: number): number => 31 - Math.clz32(mask & -mask);

const MAX_GPU_BIT = 31;
/** The bit that says "a machine with so many GPUs". */
export const gpuBit = (gpus: number): number => (1 << Math.min(gpus, MAX_GPU_BIT)) >>> 0;

/** The smallest number of GPUs, at least so many, that a machine among these has; Infinity when there is none. */
export const tightestGpus = (bits: number, atLeast: number): number => {
  if (atLeast >= MAX_GPU_BIT) return bits >>> MAX_GPU_BIT === 1 ? atLeast : Infinity;
  const suiting = (bits >>> atLeast) << atLeast;
  return suiting === 0 ? Infinity : lowestBit(suiting);
};
