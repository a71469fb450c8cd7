/** Entries of a node at most; more make its box too wide, fewer the tree too deep. */
export const FANOUT = 16;

/**
 * How an offer lies in the columns, and how a box bounds many offers: the same for both. All entries of a node lie together,
 * column by column in one block of memory, so that a question to all of them reads a few cache lines of one page. Everything
 * is kept so that the smaller value is the one that could suit more orders (what is wanted large is kept negated, or taken
 * from the largest half); a box is then the smallest of each, and its bits are all bits of what is in it.
 *
 * These are single precision, rounded down by `notAbove`.
 */
export const FIELD = {
  /** Unit prices, micro-USDC per hour. */
  perGpu: 0,
  perCpuCore: 1,
  perMemoryGiB: 2,
  perStorageGiB: 3,
  /** The term of the score, from both sides. */
  reliabilityHigh: 4,
  reliabilityLow: 5,
  /** The place as a point on the unit sphere, from both sides: no seam at the date line or the poles. */
  xLow: 6,
  yLow: 7,
  zLow: 8,
  xHigh: 9,
  yHigh: 10,
  zHigh: 11,
  /** Logarithm of the price that counts most, from both sides: what is alike in price lies together. */
  priceLow: 12,
  priceHigh: 13,
} as const;
export const FIELDS = 14;

/**
 * These are halves of a word (see `halves.ts`): what must not be above a limit, and is of no other use but for the declared
 * GPUs. Four columns each of amounts: GPUs, CPU, memory and storage. In this order, what is asked of what is free, and what
 * is asked of what was declared, both lie in a row.
 */
export const HALF = {
  /** The sum over all machines, and the most on one of them. */
  declaredTotal: 0,
  declaredMost: 4,
  /** 1 (best) to 7. */
  tier: 8,
  minDuration: 9,
  maxDuration: 10,
  /** Rank of the network between machines. */
  interconnect: 11,
  freeMost: 12,
  freeTotal: 16,
} as const;
export const HALVES = 20;

export const BITS = {
  /** Two words: the region. */
  region: 0,
  /** Two words: attributes of the provider and storage classes of the offer, spread by a hash. */
  traits: 2,
  /** Bit n: some machine has n GPUs free; bit 31: 31 or more. */
  freeGpus: 4,
  declaredGpus: 5,
  /** No bits, but the number of the provider's place; of a box it says nothing. */
  place: 6,
} as const;
export const WORDS = 7;

/** Words that one column of halves has in a node: entry n lies in word n, in the upper half of word n - 8 from 8 on. */
export const PAIRS = FANOUT / 2;

/** Where in the block of a node the columns begin, in words of 32 bits: halves, bits, entries, fields. */
export const BITS_AT = HALVES * PAIRS;
export const ENTRIES_AT = BITS_AT + WORDS * FANOUT;
export const FIELDS_AT = ENTRIES_AT + FANOUT;
/** The length of a block: 2 KiB. */
export const NODE_WORDS = FIELDS_AT + FIELDS * FANOUT;

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
