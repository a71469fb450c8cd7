import type { RatePolicy, Spent } from './port.ts';

/**
 * The generic cell rate algorithm (ITU-T I.371) in whole microseconds. A budget is one number, its debt: the time until
 * it is full again. Each unit adds `intervalUs` to the debt, time pays it off, and it never exceeds
 * `capacityUs`. So in any span of t microseconds at most `quota + t / intervalUs` units are spent.
 */
export type Cell = {
  /** What one unit adds, rounded up: the rate is never above the policy's. */
  readonly intervalUs: number;
  readonly capacityUs: number;
};

export const cellOf = ({ quota, windowMs }: RatePolicy): Cell => {
  const intervalUs = Math.ceil((windowMs * 1_000) / quota);
  return { intervalUs, capacityUs: intervalUs * quota };
};

/**
 * The debt at `nowUs`, from the instant (microseconds) at which the budget would be full. More than the capacity
 * can only be owed when the clock was set back: that is forgiven.
 */
export const debtUs = (cell: Cell, fullAtUs: number | null, nowUs: number): number =>
  fullAtUs === null ? 0 : Math.min(Math.max(fullAtUs - nowUs, 0), cell.capacityUs);

export const fits = (cell: Cell, debt: number, cost: number): boolean =>
  debt + cost * cell.intervalUs <= cell.capacityUs;

/** What a caller is told: `debt` is the one after the decision. */
export const spentOf = (cell: Cell, debt: number, allowed: boolean, cost: number): Spent => ({
  allowed,
  remaining: Math.floor((cell.capacityUs - debt) / cell.intervalUs),
  resetMs: Math.ceil(debt / 1_000),
  retryAfterMs: allowed ? 0 : Math.ceil((debt + cost * cell.intervalUs - cell.capacityUs) / 1_000),
});
