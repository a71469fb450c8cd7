import type { RatePolicy, Spent } from './port.ts';

/**
 * The generic cell rate algorithm (ITU-T I.371) in whole microseconds. A budget is one number, its debt: the time until
 * it is full again. Each unit adds `intervalMicros` to the debt, time pays it off, and it never exceeds
 * `capacityMicros`. So in any span of t microseconds at most `quota + t / intervalMicros` units are spent.
 */
export type Cell = {
  /** What one unit adds, rounded up: the rate is never above the policy's. */
  readonly intervalMicros: number;
  readonly capacityMicros: number;
};

export const cellOf = ({ quota, windowMs }: RatePolicy): Cell => {
  const intervalMicros = Math.ceil((windowMs * 1_000) / quota);
  return { intervalMicros, capacityMicros: intervalMicros * quota };
};

/**
 * The debt at `nowMicros`, from the instant (microseconds) at which the budget would be full. More than the capacity
 * can only be owed when the clock was set back: that is forgiven.
 */
export const debtMicros = (cell: Cell, fullAtMicros: number | null, nowMicros: number): number =>
  fullAtMicros === null ? 0 : Math.min(Math.max(fullAtMicros - nowMicros, 0), cell.capacityMicros);

export const fits = (cell: Cell, debt: number, cost: number): boolean =>
  debt + cost * cell.intervalMicros <= cell.capacityMicros;

/** What a caller is told: `debt` is the one after the decision. */
export const spentOf = (cell: Cell, debt: number, allowed: boolean, cost: number): Spent => ({
  allowed,
  remaining: Math.floor((cell.capacityMicros - debt) / cell.intervalMicros),
  resetMs: Math.ceil(debt / 1_000),
  retryAfterMs: allowed ? 0 : Math.ceil((debt + cost * cell.intervalMicros - cell.capacityMicros) / 1_000),
});
