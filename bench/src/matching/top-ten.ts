import { seededRandom } from '@gridbourse/kernel';
import { groupNeeds, indexedViewOf, rankCandidates } from '@gridbourse/matchmaker/matching';
import { perSecond, percentile, rounded } from '../frame/statistics.ts';
import { randomMarket } from './market.ts';
import { randomOrder } from './orders.ts';
import { TypedArrayScan } from './scan.ts';

const BEST = 10;
const WARM_UP_ORDERS = 500;

export type Speed = {
  readonly perSecond: number;
  /** Of this process's own time, so that what else the machine does is not in it. */
  readonly perCpuSecond: number;
  readonly msP50: number;
  readonly msP99: number;
};

export type TopTen = {
  readonly offers: number;
  readonly ours: Speed;
  readonly scan: Speed;
  /** To make the columns from nothing. */
  readonly indexMs: number;
};

const speedOf = (count: number, work: (i: number) => void): Speed => {
  const times: number[] = [];
  const before = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < count; i += 1) {
    const begun = performance.now();
    work(i);
    times.push(performance.now() - begun);
  }
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return {
    perSecond: perSecond(count, ms),
    perCpuSecond: perSecond(count, (user + system) / 1_000),
    msP50: rounded(percentile(times, 0.5)),
    msP99: rounded(percentile(times, 0.99)),
  };
};

/**
 * The ten best of so many offers, ours against the scan, on the same orders.
 * @throws Error when the two disagree about a score
 */
export const topTen = (offers: number, orders: number, scanOrders: number): TopTen => {
  const random = seededRandom(offers);
  const made = randomMarket(random, offers);
  const requests = Array.from({ length: orders }, () => randomOrder(random));
  const begun = performance.now();
  const view = indexedViewOf(made.market, made.book);
  const ours = (i: number) => {
    const request = requests[i % orders]!;
    return rankCandidates(request, groupNeeds(request)[0]!, view, BEST);
  };
  ours(0);
  const indexMs = performance.now() - begun;
  const scan = new TypedArrayScan(made);
  const theirs = (i: number): number[] => scan.best(requests[i % orders]!, BEST);
  for (let i = 0; i < Math.min(WARM_UP_ORDERS, scanOrders); i += 1) {
    const [a, b] = [ours(i).map(({ score }) => score), theirs(i)];
    if (a.length !== b.length || a.some((score, at) => Math.abs(score - b[at]!) > 1e-9)) {
      throw new Error(`order ${i}: ours ${a.join(' ')}, the scan ${b.join(' ')}`);
    }
  }
  for (let i = 0; i < WARM_UP_ORDERS; i += 1) ours(i);
  return {
    offers,
    indexMs: rounded(indexMs),
    ours: speedOf(orders, ours),
    scan: speedOf(scanOrders, theirs),
  };
};
