/**
 * The value below which a share of all values lies (nearest rank).
 * @param share 0.5 for the median, 0.99 for the 99th percentile
 * @throws RangeError without values, or for a share outside (0, 1]
 */
export const percentile = (values: readonly number[], share: number): number => {
  if (values.length === 0) throw new RangeError('no values, no percentile');
  if (!(share > 0 && share <= 1)) throw new RangeError(`${share} is no share of the values`);
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1]!;
};

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** Four significant digits: more would pretend to know more. */
export const rounded = (value: number): number => Number(value.toPrecision(4));

/** How often a second, from how many in how many milliseconds. */
export const perSecond = (count: number, milliseconds: number): number =>
  rounded((count / milliseconds) * 1_000);

/** Milliseconds that the work takes, with what it returned. */
export const timed = async <T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> => {
  const start = performance.now();
  const result = await work();
  return { ms: performance.now() - start, result };
};
