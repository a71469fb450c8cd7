import type { Micros } from '@gridbourse/kernel';
import { RATE_SCALE } from '../pricing.ts';

/** A place that can take some replicas of one or several kinds. Kinds go by their number, the largest first. */
export type Taker = {
  /** The most of each kind that it holds while it holds none of the others. */
  readonly most: readonly number[];
  /** What one replica of each kind costs, in `1 / RATE_SCALE` micro-USDC per hour. */
  readonly unitRates: readonly bigint[];
  /** Whether it holds so many of each kind at once. */
  readonly holds: (counts: readonly number[]) => boolean;
};

/** Who takes how many replicas of each kind. */
export type Spread<T extends Taker> = { readonly taker: T; readonly counts: readonly number[] }[];

/** Attempts that are left; shared by all that search for one answer. */
export type Patience = { steps: number };

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** The most of each kind that so many of the takers from a place on can hold: `[kind][from][how many]`. */
const roomFrom = (takers: readonly Taker[], kinds: number, size: number): number[][][] =>
  Array.from({ length: kinds }, (_, kind) => {
    const best: number[] = [];
    const room: number[][] = Array.from({ length: takers.length + 1 }, () => []);
    for (let from = takers.length; from >= 0; from -= 1) {
      if (from < takers.length) {
        best.push(takers[from]!.most[kind]!);
        best.sort((a, b) => b - a);
        best.length = Math.min(best.length, size);
      }
      let total = 0;
      room[from] = [0, ...best.map((one) => (total += one))];
      while (room[from]!.length <= size) room[from]!.push(total);
    }
    return room;
  });

const cheaperFirst = (takers: readonly Taker[], kind: number): number[] =>
  takers
    .map((_, at) => at)
    .sort((a, b) => {
      const [m, n] = [takers[a]!.unitRates[kind]!, takers[b]!.unitRates[kind]!];
      return m < n ? -1 : m > n ? 1 : a - b;
    });

/** Rounding of floating point numbers is far below this share. */
const TOLERANCE = 1e-9;

/**
 * A lower bound of what all replicas cost on chosen takers and any of those from a place on: each kind fills the cheapest
 * first, and, where there is one kind, every chosen taker has a replica of it.
 */
const leastCost = (takers: readonly Taker[], wanted: readonly number[]) => {
  const rates = wanted.map((_, kind) => takers.map((taker) => Number(taker.unitRates[kind]!)));
  const orders = wanted.map((_, kind) => cheaperFirst(takers, kind));
  return (isChosen: Uint8Array, from: number): number => {
    let cost = 0;
    for (let kind = 0; kind < wanted.length; kind += 1) {
      const [order, rate] = [orders[kind]!, rates[kind]!];
      let left = wanted[kind]!;
      const seated = wanted.length === 1 ? 1 : 0;
      for (let at = 0; seated && at < from; at += 1) {
        if (!isChosen[at]) continue;
        cost += rate[at]!;
        left -= 1;
      }
      for (let turn = 0; left > 0 && turn < order.length; turn += 1) {
        const at = order[turn]!;
        if (!isChosen[at] && at < from) continue;
        const count = Math.min(left, takers[at]!.most[kind]! - (isChosen[at] ? seated : 0));
        cost += count * rate[at]!;
        left -= count;
      }
    }
    return cost;
  };
};

/**
 * Sets of so many takers that have room for each kind alone and may cost no more than the limit, first those with the
 * takers that come first. Sets without a chance are not even looked at.
 */
function* setsOf<T extends Taker>(
  takers: readonly T[],
  wanted: readonly number[],
  size: number,
  limit: bigint,
  patience: Patience,
): Generator<T[]> {
  const room = roomFrom(takers, wanted.length, size);
  const least = leastCost(takers, wanted);
  const most = Number(limit) * (1 + TOLERANCE);
  const isChosen = new Uint8Array(takers.length);
  const chosen: T[] = [];
  const enough = (from: number): boolean =>
    wanted.every((want, kind) => {
      const taken = chosen.reduce((total, taker) => total + taker.most[kind]!, 0);
      return taken + room[kind]![from]![size - chosen.length]! >= want;
    });
  function* from(at: number): Generator<T[]> {
    if (chosen.length === size) {
      yield [...chosen];
      return;
    }
    for (let i = at; takers.length - i >= size - chosen.length && enough(i); i += 1) {
      if (i > at && least(isChosen, i) > most) return;
      patience.steps -= 1;
      if (patience.steps < 0) return;
      chosen.push(takers[i]!);
      isChosen[i] = 1;
      if (enough(i + 1) && least(isChosen, i + 1) <= most) yield* from(i + 1);
      isChosen[i] = 0;
      chosen.pop();
    }
  }
  yield* from(0);
}

/**
 * Ways to put all replicas on these takers, each of which gets at least one, for at most the limit. The largest kind
 * first, always as much as possible where it is cheapest: with one kind the first way is the cheapest there is.
 */
function* waysOf<T extends Taker>(
  takers: readonly T[],
  wanted: readonly number[],
  limit: bigint,
  patience: Patience,
): Generator<Spread<T>> {
  const kinds = wanted.length;
  const counts = takers.map(() => Array<number>(kinds).fill(0));
  const orders = wanted.map((_, kind) => cheaperFirst(takers, kind));
  const rate = (kind: number, at: number): bigint => takers[at]!.unitRates[kind]!;
  /** The least that kinds after this one cost. */
  const later = wanted.map((_, kind) =>
    wanted
      .slice(kind + 1)
      .reduce((total, want, i) => total + BigInt(want) * rate(kind + 1 + i, orders[kind + 1 + i]![0]!), 0n),
  );
  function* place(kind: number, turn: number, left: number, spent: bigint): Generator<Spread<T>> {
    if (left === 0) {
      if (kind + 1 < kinds) yield* place(kind + 1, 0, wanted[kind + 1]!, spent);
      else if (counts.every((each) => sum(each) > 0))
        yield takers.map((taker, at) => ({ taker, counts: [...counts[at]!] }));
      return;
    }
    const order = orders[kind]!;
    if (turn === order.length) return;
    const at = order[turn]!;
    const next = order[turn + 1];
    const elsewhere = order.slice(turn + 1).reduce((total, one) => total + takers[one]!.most[kind]!, 0);
    for (
      let count = Math.min(left, takers[at]!.most[kind]!);
      count >= Math.max(0, left - elsewhere);
      count -= 1
    ) {
      patience.steps -= 1;
      if (patience.steps < 0) return;
      const cost = spent + BigInt(count) * rate(kind, at);
      const rest = next === undefined ? 0n : BigInt(left - count) * rate(kind, next);
      // Fewer here are more where it is dearer: it only gets worse from here.
      if (cost + rest + later[kind]! > limit) return;
      counts[at]![kind] = count;
      if (count === 0 || takers[at]!.holds(counts[at]!)) yield* place(kind, turn + 1, left - count, cost);
      counts[at]![kind] = 0;
    }
  }
  yield* place(0, 0, wanted[0]!, 0n);
}

/**
 * Ways to spread replicas over exactly so many takers: sets in the order of the takers, and of each set the cheapest way
 * first. All there are, unless patience ends before.
 */
export function* spreadsOver<T extends Taker>(
  takers: readonly T[],
  wanted: readonly number[],
  size: number,
  limitMicrosPerHour: Micros,
  patience: Patience,
): Generator<Spread<T>> {
  const limit = limitMicrosPerHour * RATE_SCALE;
  for (const set of setsOf(takers, wanted, size, limit, patience))
    yield* waysOf(set, wanted, limit, patience);
}
