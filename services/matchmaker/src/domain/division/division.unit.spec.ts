import type { PlacementGroup } from '@gridbourse/events';
import { formatUsdc, nextInt, parseUsdc, type Random, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  group,
  idOf,
  offerPublished,
  readyProvider,
  requestFor,
  service,
  specOf,
} from '../../../test/builders.ts';
import { amountsByNode, CapacityBook } from '../capacity-book.ts';
import { explain } from '../explanation.ts';
import { Market } from '../market.ts';
import { indexedViewOf, type Match, matchOrder } from '../matching.ts';
import type { MatchRequest } from '../requirements.ts';
import { smallestChange } from '../smallest-change.ts';
import { checkDivisible, mostLeases } from './portion.ts';

type Place = {
  region?: string;
  tier?: number;
  machines: number;
  gpus?: number;
  perGpu?: string;
  model?: string;
};

/** One provider with one offer each, by name. */
const marketOf = (places: Record<string, Place>) => {
  const [market, book] = [new Market(), new CapacityBook()];
  for (const [name, place] of Object.entries(places)) {
    const { region = 'eu-west', tier = 3, machines, gpus = 8, perGpu = '2.00', model = 'h100' } = place;
    const nodes = Array.from({ length: machines }, () => ({ gpus, cpu: 128, memoryGiB: 1_024 }));
    [
      ...readyProvider(name, { region, tier }),
      offerPublished(name, name, { model, vramGiB: 80, nodes, perGpu }),
    ].forEach((event, at) => market.apply(event, at + 1));
  }
  return { market, book, view: indexedViewOf(market, book) };
};

/** So many machines of eight H100. */
const workers = (replicas: number, options: Partial<PlacementGroup> & { maxRate?: string } = {}) => {
  const { maxRate = '40', ...more } = options;
  const each = service('worker', { gpus: 8, models: [{ model: 'h100' }], replicas, maxRate });
  return group('gang', [each], { maxProviders: 4, ...more });
};

const shares = (match: Match | null): Record<string, number> | null =>
  match &&
  Object.fromEntries(
    match.groups.map(({ offerId, portion }) => [
      offerId,
      portion.services.reduce((n, s) => n + s.replicas, 0),
    ]),
  );
const named = (replicas: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(replicas).map(([name, count]) => [idOf('offer', name), count]));

describe('dividing a group', () => {
  it('spreads 256 GPUs over the fewest providers of one region that have them', () => {
    const { view } = marketOf({
      a: { machines: 12 },
      b: { machines: 14 },
      c: { machines: 8 },
      d: { machines: 4 },
      // More in all, and nowhere near enough in one region.
      e: { region: 'us-east', machines: 30 },
      f: { region: 'us-west', machines: 31 },
    });
    const match = matchOrder(requestFor([workers(32)]), view)!;
    expect(shares(match)).toEqual(
      named({ a: expect.any(Number) as never, b: 14, c: expect.any(Number) as never }),
    );
    expect(match.groups.flatMap(({ placements }) => placements)).toHaveLength(32);
    expect(match.rateMicrosPerHour).toBe(match.groups.reduce((sum, one) => sum + one.rateMicrosPerHour, 0n));
  });

  it('leaves a group whole wherever it fits whole, however much better its parts would score', () => {
    const { view } = marketOf({
      best: { machines: 3, tier: 1, perGpu: '1.00' },
      good: { machines: 3, tier: 1, perGpu: '1.00' },
      large: { machines: 4, tier: 7, perGpu: '4.90' },
    });
    const match = matchOrder(requestFor([workers(4)]), view)!;
    expect(shares(match)).toEqual(named({ large: 4 }));
    expect(match.groups[0]!.part).toBeNull();
  });

  it('divides where only the price demands it', () => {
    const { view } = marketOf({
      cheap: { machines: 2, perGpu: '1.00' },
      fair: { machines: 2, perGpu: '1.20' },
      large: { machines: 4, perGpu: '4.90' },
    });
    const match = matchOrder(requestFor([workers(4, { maxRate: '11' })]), view);
    expect(shares(match)).toEqual(named({ cheap: 2, fair: 2 }));
  });

  it('lets a cheap part pay for a dear one, up to the limit of the whole and not beyond', () => {
    const { view } = marketOf({
      cheap: { machines: 3, perGpu: '1.00' },
      dear: { machines: 3, perGpu: '3.00' },
    });
    const find = (maxRate: string) => shares(matchOrder(requestFor([workers(4, { maxRate })]), view));
    // (3 x 8 x 1.00 + 8 x 3.00) / 4 = 12 for the GPUs of a replica, and a little for the rest.
    expect(find('12.20')).toEqual(named({ cheap: 3, dear: 1 }));
    expect(find('11.90')).toBeNull();
  });

  it('counts each lease as it is rounded up, to the millionth', () => {
    const one = { machines: 1, gpus: 1 };
    const { view } = marketOf({ a: { ...one, perGpu: '2.00' }, b: { ...one, perGpu: '2.000001' } });
    // 3 MiB of memory at 139 micro-USDC a GiB are 0.4 micro-USDC: 0.8 for both, and 2 where each lease is rounded up.
    const find = (maxRate: string) =>
      matchOrder(
        requestFor(
          [
            group(
              'gang',
              [
                service('worker', {
                  gpus: 1,
                  ...{ models: [{ model: 'h100' }], replicas: 2, memoryMiB: 8_195, maxRate },
                }),
              ],
              { maxProviders: 2 },
            ),
          ],
          { maxRateMicrosPerHour: parseUsdc('1000') },
        ),
        view,
      );
    const rates = find('40')!.groups.map(({ rateMicrosPerHour }) => rateMicrosPerHour);
    const dearer = rates.reduce((most, rate) => (rate > most ? rate : most));
    expect(rates.reduce((sum, rate) => sum + rate, 0n)).toBe(2n * dearer - 1n);
    // Twice the cheaper rate is one millionth less than both cost; of the exact rates it would be more.
    expect(find(formatUsdc(dearer))).not.toBeNull();
    expect(find(formatUsdc(dearer - 1n))).toBeNull();
  });

  it('takes the better hosts where they serve as well, by the profile', () => {
    const { view } = marketOf({
      near: { machines: 2, tier: 1, perGpu: '3.00' },
      close: { machines: 2, tier: 1, perGpu: '3.00' },
      cheap: { machines: 2, tier: 7, perGpu: '1.00' },
      cheaper: { machines: 2, tier: 7, perGpu: '1.00' },
    });
    const by = (profile: MatchRequest['profile'], more: Pick<MatchRequest, 'weights'> = {}) =>
      shares(matchOrder(requestFor([workers(4)], { profile, ...more }), view));
    expect(by('cheapest')).toEqual(named({ cheap: 2, cheaper: 2 }));
    const weights = { cost: 0, geography: 0, performance: 0, reliability: 1, fit: 0 };
    expect(by('balanced', { weights })).toEqual(named({ near: 2, close: 2 }));
  });

  it('finds a division that only the price allows among many that it does not', () => {
    const dear = Object.fromEntries(
      Array.from({ length: 24 }, (_, i) => [`dear${i}`, { machines: 1, tier: 1, perGpu: '4.00' }]),
    );
    const cheap = Object.fromEntries(
      Array.from({ length: 8 }, (_, i) => [`cheap${i}`, { machines: 1, tier: 7, perGpu: '1.00' }]),
    );
    const { view } = marketOf({ ...dear, ...cheap });
    const weights = { cost: 0, geography: 0, performance: 0, reliability: 1, fit: 0 };
    const gang = workers(8, { maxProviders: 8, maxRate: '9' });
    const match = matchOrder(requestFor([gang], { weights }), view)!;
    expect(Object.keys(shares(match)!).sort()).toEqual(
      Object.keys(cheap)
        .map((name) => idOf('offer', name))
        .sort(),
    );
  });

  it('numbers the replicas over all parts, each once', () => {
    const { view } = marketOf({ a: { machines: 3 }, b: { machines: 3 }, c: { machines: 2 } });
    const head = service('head', { gpus: 0, replicas: 2, cpuMillis: 100_000 });
    const { services } = workers(6);
    const match = matchOrder(requestFor([group('gang', [head, ...services], { maxProviders: 3 })]), view)!;
    expect(match.groups.map(({ part }) => [part!.number, part!.of])).toEqual(
      match.groups.map((_, at) => [at + 1, match.groups.length]),
    );
    for (const [name, of] of [
      ['head', 2],
      ['worker', 6],
    ] as const) {
      const numbers = match.groups.flatMap(({ part, portion }) => {
        const here = part!.services.find(({ service: one }) => one === name);
        expect(here?.ofReplicas ?? of).toBe(of);
        const replicas = portion.services.find((one) => one.name === name)?.replicas ?? 0;
        return Array.from({ length: replicas }, (_, i) => here!.firstReplica + i);
      });
      expect(numbers.sort()).toEqual(Array.from({ length: of }, (_, i) => i));
    }
  });

  it('keeps groups of one order out of each other’s way', () => {
    const { view } = marketOf({ a: { machines: 3 }, b: { machines: 3 } });
    const two = (replicas: number) => [
      { ...workers(replicas), name: 'one' },
      { ...workers(replicas), name: 'two' },
    ];
    const match = matchOrder(requestFor(two(3)), view)!;
    expect(match.groups.map(({ part }) => part)).toEqual([null, null]);
    expect(matchOrder(requestFor([...two(2), { ...workers(2), name: 'three' }]), view)).not.toBeNull();
    expect(matchOrder(requestFor(two(4)), view)).toBeNull();
  });

  it('divides no group of an auction', () => {
    const { view } = marketOf({ a: { machines: 3 }, b: { machines: 3 } });
    expect(matchOrder(requestFor([workers(6)]), view)).not.toBeNull();
    const auction = requestFor([workers(6)], { auction: true });
    expect(matchOrder(auction, view)).toBeNull();
    expect(smallestChange(auction, view)?.field).not.toContain('maxProviders');
  });

  it('says that dividing would do, over as few providers as it takes', () => {
    const { view } = marketOf({ a: { machines: 3 }, b: { machines: 3 }, c: { machines: 3 } });
    const why = explain(requestFor([workers(8, { maxProviders: 1 })]), view);
    expect(why.smallestChange).toEqual({
      field: 'groups.gang.maxProviders',
      from: '1',
      to: '3',
      text: 'Let gang be divided over up to 3 providers of one region.',
    });
  });
});

describe('what may be divided', () => {
  const peers = (): PlacementGroup => {
    const web = service('web');
    const port = { containerPort: 80, servicePort: 80, protocol: 'tcp' as const, global: false, hosts: [] };
    return group('g', [{ ...web, ports: [{ ...port, services: ['db'] }] }, service('db')], {
      maxProviders: 2,
    });
  };

  it('is no group of an auction, and none that needs a network or names between its machines', () => {
    const divisible = specOf([workers(4)]);
    expect(() => checkDivisible(divisible, 'instant')).not.toThrow();
    expect(() => checkDivisible(divisible, 'auction')).toThrow(
      expect.objectContaining({ code: 'auction_not_divisible' }),
    );
    expect(() => checkDivisible(specOf([peers()]), 'instant')).toThrow(
      expect.objectContaining({ code: 'group_not_divisible' }),
    );
    expect(() => checkDivisible(specOf([workers(4, { interconnect: 'infiniband' })]), 'instant')).toThrow(
      expect.objectContaining({ code: 'group_not_divisible' }),
    );
    expect(() => checkDivisible(specOf([{ ...peers(), maxProviders: 1 }]), 'auction')).not.toThrow();
    const { view } = marketOf({ a: { machines: 1, gpus: 1, model: 'rtx4090' } });
    expect(smallestChange(requestFor([{ ...peers(), maxProviders: 1 }]), view)).toBeNull();
  });

  it('counts as so many leases as it can come to', () => {
    expect(
      mostLeases(specOf([workers(32, { maxProviders: 4 }), workers(2, { maxProviders: 4 }), peers()])),
    ).toBe(7);
  });
});

/** Two regions of offers by chance, larger than an oracle could try. */
const crowd = (random: Random) => {
  const places = Array.from({ length: 40 }, (_, i): [string, Place] => [
    `p${i}`,
    {
      region: random.next() < 0.5 ? 'eu-west' : 'us-east',
      tier: 1 + nextInt(random, 7),
      machines: 1 + nextInt(random, 6),
      perGpu: `${1 + nextInt(random, 3)}.00`,
    },
  ]);
  return marketOf(Object.fromEntries(places));
};

const take = (book: CapacityBook, match: Match, word: string): void =>
  match.groups.forEach(({ offerId, providerId, portion, placements }, at) =>
    book.put({
      leaseId: idOf('lease', `${word}/${at}`),
      providerId,
      offerId,
      unit: 'whole',
      claim: 'held',
      onNodes: amountsByNode(portion, placements),
    }),
  );

describe('divisions by chance', () => {
  it('are whole, in one region, over no more providers than allowed, within the limit, and never on a taken machine', () => {
    let divided = 0;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        const { market, book, view } = crowd(random);
        for (let i = 0; i < 12; i += 1) {
          const maxProviders = 1 + nextInt(random, 6);
          const replicas = 2 + nextInt(random, 24);
          const maxRate = `${10 + nextInt(random, 20)}`;
          const request = requestFor([workers(replicas, { maxProviders, maxRate })], {
            orderId: idOf('order', `${seed}/${i}`),
          });
          const match = matchOrder(request, view);
          if (!match) continue;
          if (match.groups.length > 1) divided += 1;
          expect(match.groups.length).toBeLessThanOrEqual(maxProviders);
          const providers = match.groups.map(({ providerId }) => market.provider(providerId)!);
          expect(new Set(providers.map(({ place }) => place.region)).size).toBe(1);
          expect(match.groups.flatMap(({ placements }) => placements)).toHaveLength(replicas);
          expect(match.rateMicrosPerHour <= parseUsdc(maxRate) * BigInt(replicas)).toBe(true);
          const before = new Map(
            [...market.offers()].map((offer) => [offer.offerId, book.usage(offer).free.gpus]),
          );
          take(book, match, `${i}`);
          for (const offer of market.offers()) {
            // Free amounts are never below nothing: only an exact difference shows that there was room.
            const taken = match.groups
              .filter(({ offerId }) => offerId === offer.offerId)
              .reduce((sum, { placements }) => sum + 8 * placements.length, 0);
            expect(book.usage(offer).free.gpus).toBe(before.get(offer.offerId)! - taken);
          }
        }
      }),
      { numRuns: 60 },
    );
    expect(divided).toBeGreaterThan(60);
  });
});
