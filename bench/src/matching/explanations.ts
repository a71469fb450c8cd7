import { nextInt, parseUsdc, seededRandom } from '@gridbourse/kernel';
import {
  brokenOf,
  explain,
  type GroupNeed,
  groupNeeds,
  indexedViewOf,
  type MarketView,
  type MatchRequest,
  matchOrder,
  rateMicrosPerHour,
  surveyed,
} from '@gridbourse/matchmaker/matching';
import { percentile, rounded } from '../frame/statistics.ts';
import { randomMarket } from './market.ts';
import { randomOrder } from './orders.ts';

const NEAREST = 5;
const WARM_UP_MS = 300;

export type Explaining = {
  readonly offers: number;
  /** Of a whole explanation, the search for the smallest change included. */
  readonly wholeMsP50: number;
  readonly wholeMsP99: number;
  readonly wholeCpuMs: number;
  /** Of counting what every offer fails and finding the nearest misses, milliseconds of CPU. */
  readonly surveyCpuMs: number;
  /** The same by holding every offer against the order. */
  readonly everyOfferCpuMs: number;
  /** To make the columns from nothing. */
  readonly firstMs: number;
};

/** As counting was done before there were columns: every check at every offer. */
const byEveryOffer = (need: GroupNeed, view: MarketView): { failures: number; nearest: string[] } => {
  let failures = 0;
  const held: { offerId: string; count: number; rate: bigint }[] = [];
  for (const { offer, provider } of view.offers()) {
    const count = brokenOf({ need, offer, provider, free: view.free(offer) }).length;
    failures += count;
    const one = { offerId: offer.offerId, count, rate: rateMicrosPerHour(offer.price, need.total) };
    const last = held.at(-1);
    if (held.length === NEAREST && last && compare(one, last) > 0) continue;
    held.push(one);
    held.sort(compare);
    held.length = Math.min(held.length, NEAREST);
  }
  return { failures, nearest: held.map(({ offerId }) => offerId) };
};

const compare = (
  a: { offerId: string; count: number; rate: bigint },
  b: { offerId: string; count: number; rate: bigint },
): number =>
  a.count - b.count || (a.rate < b.rate ? -1 : a.rate > b.rate ? 1 : a.offerId < b.offerId ? -1 : 1);

/** Orders that find no place: too cheap, too large, in a region without such GPUs, or all of it. */
const hopelessOrders = (view: MarketView, count: number, seed: number): MatchRequest[] => {
  const random = seededRandom(seed);
  const orders: MatchRequest[] = [];
  while (orders.length < count) {
    const order = randomOrder(random);
    const [group] = order.spec.groups;
    const kind = nextInt(random, 3);
    const services = group!.services.map((service) => ({
      ...service,
      ...(kind === 0 ? { maxRateMicrosPerHour: parseUsdc('0.01') } : {}),
      ...(kind === 1 ? { replicas: 200 } : {}),
    }));
    const attributes = kind === 2 ? { host: 'submarine' } : group!.attributes;
    const request = {
      ...order,
      spec: { ...order.spec, groups: [{ ...group!, services, attributes }] },
    };
    if (matchOrder(request, view) === null) orders.push(request);
  }
  return orders;
};

const msOf = (work: () => unknown): number => {
  const begun = performance.now();
  work();
  return performance.now() - begun;
};

/** Of this process's own time, so that what else the machine does is not in it; the mean. */
const cpuMs = (count: number, work: (i: number) => unknown): number => {
  const before = process.cpuUsage();
  for (let i = 0; i < count; i += 1) work(i);
  const { user, system } = process.cpuUsage(before);
  return rounded((user + system) / 1_000 / count);
};

/**
 * What it costs to say why an order finds no place among so many offers, and what it costs to count by asking every offer.
 * @throws Error when the two disagree
 */
export const explaining = (offers: number, orders: number): Explaining => {
  const { market, book } = randomMarket(seededRandom(offers), offers);
  const view = surveyed(indexedViewOf(market, book));
  const requests = hopelessOrders(view, orders, offers + 1);
  const needs = requests.map((request) => groupNeeds(request)[0]!);
  const survey = (i: number) => view.survey.findingsFor(needs[i % orders]!, NEAREST);
  const firstMs = rounded(msOf(() => survey(0)));
  const compared = Math.min(orders, Math.max(3, Math.round(1_000_000 / offers)));
  for (let i = 0; i < compared; i += 1) {
    const [found, plain] = [survey(i), byEveryOffer(needs[i]!, view)];
    const failures = [...found.failed.values()].reduce((sum, failed) => sum + failed, 0);
    const nearest = found.nearest.map(({ offer }) => offer.offerId);
    if (failures !== plain.failures || nearest.join() !== plain.nearest.join())
      throw new Error(
        `order ${i}: the survey finds ${failures} failures, every offer asked ${plain.failures}`,
      );
  }
  for (const begun = performance.now(); performance.now() - begun < WARM_UP_MS;) explain(requests[0]!, view);
  const whole: number[] = [];
  const wholeCpuMs = cpuMs(orders, (i) => whole.push(msOf(() => explain(requests[i]!, view))));
  return {
    offers,
    firstMs,
    wholeMsP50: rounded(percentile(whole, 0.5)),
    wholeMsP99: rounded(percentile(whole, 0.99)),
    wholeCpuMs,
    surveyCpuMs: cpuMs(10 * orders, survey),
    everyOfferCpuMs: cpuMs(compared, (i) => byEveryOffer(needs[i]!, view)),
  };
};
