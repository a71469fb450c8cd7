import { describe, expect, it } from '@jest/globals';
import { closeAuction, openAuction } from '../../../test/auctions.ts';
import { Bench } from '../../../test/bench.ts';
import {
  group,
  idOf,
  leaseNumber,
  offerPublished,
  readyProvider,
  service,
  submission,
  TENANT,
} from '../../../test/builders.ts';
import { cancelOrder } from './tenant.ts';

const NOTHING = { cost: 0, geography: 0, performance: 0, reliability: 0, fit: 0 };
const ONLY_COST = { ...NOTHING, cost: 1 };
const ONLY_RELIABILITY = { ...NOTHING, reliability: 0.4 };
const ONLY_PERFORMANCE = { ...NOTHING, performance: 1 };

/** A cheap provider that nobody trusts, and a dear one that everybody does. */
const market = (): Bench =>
  new Bench()
    .market(...readyProvider('cheap', { tier: 7 }), offerPublished('cheap', 'cheap', { perGpu: '0.20' }))
    .market(
      ...readyProvider('trusted', { tier: 1 }),
      offerPublished('trusted', 'trusted', { perGpu: '0.60' }),
    );
const main = group('main', [service('web', { maxRate: '1' })]);
const all = group('main', [service('web', { gpus: 4, maxRate: '9' })]);
const providerOf = (bench: Bench, word: string) => {
  const [leaseId] = bench.order(idOf('order', word)).leaseIds;
  return leaseId && bench.lease(leaseId).providerId;
};

describe.each([
  ['cost', ONLY_COST, 'cheap'],
  ['reliability', ONLY_RELIABILITY, 'trusted'],
])("a tenant's own weights, all on %s", (_, weights, chosen) => {
  const wanted = idOf('provider', chosen);

  it('choose the offer of an order that is matched at once', () => {
    const bench = market();
    bench.submit(submission('x', [main], { weights }));
    expect(providerOf(bench, 'x')).toBe(wanted);
    expect(bench.order(idOf('order', 'x'))).toMatchObject({ weights, profile: 'balanced' });
  });

  it('choose it once capacity is there for an order that waited', () => {
    const bench = market();
    bench.submit(submission('a', [all]));
    bench.submit(submission('b', [all]));
    bench.submit(submission('x', [main], { weights }));
    expect(bench.order(idOf('order', 'x')).state).toBe('unmatched');
    bench.run((unit) => {
      cancelOrder(unit, TENANT, idOf('order', 'a'));
      cancelOrder(unit, TENANT, idOf('order', 'b'));
    });
    bench.rematch();
    expect(providerOf(bench, 'x')).toBe(wanted);
  });

  it('choose among the bids of an auction', () => {
    const bench = market();
    openAuction(bench, 'x', { weights }, [main]);
    closeAuction(bench);
    expect(providerOf(bench, 'x')).toBe(wanted);
  });
});

it('the class of work says which GPU is the fastest', () => {
  // Of the catalogue's measured throughputs: the first is ahead for vision, the second for language.
  const chosenFor = (workloadClass: 'vision' | 'language') => {
    const bench = new Bench()
      .market(...readyProvider('p'), offerPublished('p', 'p', { model: 'v100', vramGiB: 32 }))
      .market(...readyProvider('q'), offerPublished('q', 'q', { model: 'a40', vramGiB: 48 }));
    bench.submit(
      submission('x', [group('main', [service('web', { models: [], maxRate: '1' })])], {
        weights: ONLY_PERFORMANCE,
        workloadClass,
      }),
    );
    return providerOf(bench, 'x');
  };
  expect([chosenFor('vision'), chosenFor('language')]).toEqual([
    idOf('provider', 'p'),
    idOf('provider', 'q'),
  ]);
});

it('a match is kept with what it was preferred to', () => {
  const bench = market();
  bench.submit(submission('x', [main], { weights: ONLY_COST }));
  const matched = bench.log.map(({ event }) => event).find(({ type }) => type === 'OrderMatched');
  expect(matched).toMatchObject({
    leases: [{ leaseId: leaseNumber(1) }],
    ranking: [
      {
        group: 'main',
        winner: { providerId: idOf('provider', 'cheap'), terms: { reliability: expect.any(Number) } },
        runnerUp: { providerId: idOf('provider', 'trusted') },
      },
    ],
  });
});
