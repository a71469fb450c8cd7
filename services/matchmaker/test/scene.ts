import { Bench } from './bench.ts';
import { group, idOf, leaseNumber, offerPublished, readyProvider, service } from './builders.ts';

/** One replica of one RTX 4090. */
export const one = group('main', [service('web')]);
/** The first lease of a bench, and the second. */
export const first = leaseNumber(1);
export const second = leaseNumber(2);
/** The order that is submitted as `a`. */
export const order = idOf('order', 'a');

/** A bench with these offers, of providers that are ready. */
export const benchWith = (...offers: Parameters<typeof offerPublished>[]): Bench => {
  const bench = new Bench();
  for (const provider of new Set(offers.map(([name]) => name))) bench.market(...readyProvider(provider));
  for (const offer of offers) bench.market(offerPublished(...offer));
  return bench;
};
