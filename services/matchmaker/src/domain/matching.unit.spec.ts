import { parseUsdc, seededRandom, nextInt } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { group, idOf, offerPublished, readyProvider, requestFor, service } from '../../test/builders.ts';
import { canPlaceAll } from '../../test/can-place.ts';
import { type World, worldOf } from '../../test/world.ts';
import { scanOf } from './candidates.ts';
import { CapacityBook } from './capacity-book.ts';
import { fitOf } from './constraints.ts';
import { explain } from './explanation.ts';
import { Market } from './market.ts';
import { contestOrder, matchOrder, rankCandidates, viewOf } from './matching.ts';
import { groupNeeds, type MatchRequest } from './requirements.ts';
import { PROFILE_WEIGHTS } from './scoring.ts';
import { smallestChange } from './smallest-change.ts';

const match = (world: World, request: MatchRequest) => matchOrder(request, viewOf(world.market, world.book));

describe('choosing', () => {
  it('weights of every profile sum to 1', () => {
    for (const weights of Object.values(PROFILE_WEIGHTS)) {
      expect(Object.values(weights).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    }
  });

  it('follows the profile', () => {
    const world = { market: new Market(), book: new CapacityBook() };
    const add = (
      name: string,
      options: Parameters<typeof readyProvider>[1],
      offer: Parameters<typeof offerPublished>[2],
    ) => {
      [...readyProvider(name, options), offerPublished(name, name, offer)].forEach((event, i) =>
        world.market.apply(event, i + 1),
      );
    };
    add('cheap', { location: { latitude: 1.35, longitude: 103.8 } }, { model: 't4', perGpu: '0.10' });
    add('fast', { location: { latitude: 40, longitude: -74 } }, { model: 'h100', perGpu: '0.90' });
    add('near', {}, { model: 'a40', perGpu: '0.80' });
    const ask = (profile: MatchRequest['profile']) =>
      match(
        world,
        requestFor([group('g', [service('s', { models: [] })])], {
          profile,
          near: { latitude: 50, longitude: 8 },
        }),
      )?.groups[0]?.offerId;
    expect([ask('cheapest'), ask('fastest'), ask('nearest')]).toEqual(
      ['cheap', 'fast', 'near'].map((n) => idOf('offer', n)),
    );
  });

  it('breaks ties by what stays whole, then by a lot that does not depend on the order of arrival', () => {
    const tight = worldOf(['p', 'a', { nodes: [{ gpus: 4 }] }], ['p', 'b', { nodes: [{ gpus: 1 }] }]);
    expect(match(tight, requestFor([group('g', [service('s')])]))?.groups[0]?.offerId).toBe(
      idOf('offer', 'b'),
    );
    const names = ['a', 'b', 'c', 'd', 'e'];
    const chosen = (order: string[], seed: string) =>
      match(
        worldOf(...order.map((name) => ['p', name] as [string, string])),
        requestFor([group('g', [service('s')])], { orderId: idOf('order', seed) }),
      )?.groups[0]?.offerId;
    const seeds = ['1', '2', '3', '4', '5', '6', '7', '8'];
    for (const seed of seeds) expect(chosen([...names].reverse(), seed)).toBe(chosen(names, seed));
    expect(new Set(seeds.map((seed) => chosen(names, seed))).size).toBeGreaterThan(1);
  });

  it('lets go of every search that it has begun, whether it finds a place or not', () => {
    const { market, book } = worldOf(['p', 'a'], ['q', 'b']);
    const plain = viewOf(market, book);
    const source = scanOf(plain);
    let open = 0;
    const counted = function* (...asked: Parameters<typeof source.candidates>) {
      open += 1;
      try {
        yield* source.candidates(...asked);
      } finally {
        open -= 1;
      }
    };
    const view = { ...plain, source: { ...source, candidates: counted } };
    const fits = group('a', [service('s')]);
    const never = group('b', [service('s', { gpus: 100 })]);
    expect(matchOrder(requestFor([fits]), view)).not.toBeNull();
    expect(contestOrder(requestFor([fits, { ...fits, name: 'c' }]), view)).not.toBeNull();
    expect(matchOrder(requestFor([fits, never]), view)).toBeNull();
    expect(open).toBe(0);
  });

  it('takes no machine twice for one order where two offers of a provider name it', () => {
    const beside = (machines: string) =>
      worldOf(['p', 'first', { nodes: [{ gpus: 4 }] }], ['p', 'second', { nodes: [{ gpus: 4 }], machines }]);
    const asked = (gpus: number, maxProviders = 1) => [
      requestFor([
        group('a', [service('s', { gpus, maxRate: '5' })]),
        group('b', [service('s', { gpus, maxRate: '5' })]),
      ]),
      requestFor([group('a', [service('s', { gpus, replicas: 2, maxRate: '5' })], { maxProviders })]),
    ];
    const shared = beside('node');
    for (const request of asked(4, 2)) expect(match(shared, request)).toBeNull();
    for (const request of asked(2)) {
      expect(new Set(match(shared, request)!.groups.map(({ offerId }) => offerId)).size).toBe(1);
    }
    const apart = beside('another');
    for (const request of asked(4, 2)) expect(match(apart, request)!.groups).toHaveLength(2);
  });

  it('puts a service without GPUs on any machine of the same offer', () => {
    const world = worldOf([
      'p',
      'o',
      {
        nodes: [
          { gpus: 1, cpu: 5 },
          { gpus: 0, cpu: 8 },
        ],
      },
    ]);
    const placed = match(world, requestFor([group('g', [service('gpu'), service('cpu', { gpus: 0 })])]));
    expect(placed?.groups[0]?.placements).toEqual([
      { service: 'gpu', replica: 0, node: 'node-1' },
      { service: 'cpu', replica: 0, node: 'node-2' },
    ]);
  });
});

/** A small market and a small order, from one seed. */
const scenario = (seed: number): { world: World; request: MatchRequest } => {
  const random = seededRandom(seed);
  const int = (bound: number): number => nextInt(random, bound);
  const pick = <T>(...all: T[]): T => all[int(all.length)]!;
  const world: World = { market: new Market(), book: new CapacityBook() };
  const offers = 1 + int(5);
  for (let i = 0; i < offers; i += 1) {
    const events = readyProvider(`p${i}`, {
      tier: 1 + int(7),
      region: pick('eu-west', 'us-east'),
      attributes: pick({}, { host: 'bare' }),
    });
    const offer = offerPublished(`p${i}`, `o${i}`, {
      model: pick('rtx4090', 'rtx4090', 'a100', 'h100', null),
      vramGiB: pick(24, 40, 80),
      interface: pick('pcie', 'sxm'),
      nodes: Array.from({ length: 1 + int(3) }, () => ({
        gpus: int(5),
        cpu: 2 + int(8),
        memoryGiB: 4 + int(16),
        storageGiB: 20 + int(40),
      })),
      perGpu: pick('0.20', '0.40', '1.50'),
      maxSeconds: pick(1_800, 86_400),
      storageClasses: pick([], ['default'], ['beta2']),
    });
    [...(int(8) === 0 ? events.slice(0, 2) : events), offer].forEach((event, at) =>
      world.market.apply(event, at + 1),
    );
    if (int(3) === 0) {
      const taken = offer.nodes[0]!;
      world.book.put({
        leaseId: idOf('lease', `${i}`),
        providerId: offer.providerId,
        offerId: offer.offerId,
        unit: 'whole',
        claim: 'committed',
        onNodes: new Map([[taken.name, { ...taken }]]),
      });
    }
  }
  const oneService = (name: string) =>
    service(name, {
      gpus: int(3),
      models: pick(
        [],
        [],
        [{ model: 'rtx4090' }],
        [{ model: 'a100', vramMiB: pick(null, 81_920) }],
        [{ model: 'h100', interface: 'sxm' as const }],
      ),
      replicas: pick(1, 1, 2, 3),
      cpuMillis: 500 + int(4) * 1_000,
      memoryMiB: 1_024 + int(4) * 1_024,
      storageMiB: 1_024 * (1 + int(10)),
      maxRate: pick('0.05', '0.60', '5', '5'),
      ...pick({}, {}, {}, {}, { storageClass: 'beta2' }),
    });
  const groups = Array.from({ length: 1 + int(2) }, (_, g) =>
    group(
      `g${g}`,
      Array.from({ length: 1 + int(2) }, (__, s) => oneService(`s${g}${s}`)),
      {
        tierFloor: pick(7, 7, 7, 3),
        regions: pick([], [], [], ['us-east']),
        attributes: pick({}, {}, {}, {}, { host: 'bare' }),
      },
    ),
  );
  const request = requestFor(groups, {
    orderId: idOf('order', `${seed}`),
    durationSeconds: pick(600, 3_600),
    includeProviders: pick([], [], [], [], [idOf('provider', 'p0')]),
  });
  return { world, request };
};

/** Tries every assignment of groups to offers, with no cleverness at all. */
const someAssignmentFits = ({ market, book }: World, request: MatchRequest): boolean => {
  const view = viewOf(market, book);
  const subjects = [...view.offers()];
  const needs = groupNeeds(request);
  const rateOf = (at: number, i: number): bigint => {
    const { offer, provider } = subjects[i]!;
    return fitOf({ need: needs[at]!, offer, provider, free: view.free(offer) })!.rateMicrosPerHour;
  };
  const assign = (at: number, chosen: number[]): boolean => {
    if (at === needs.length) {
      if (chosen.reduce((sum, i, g) => sum + rateOf(g, i), 0n) > request.maxRateMicrosPerHour) return false;
      return subjects.every(({ offer }, i) =>
        canPlaceAll(
          chosen.flatMap((c, g) => (c === i ? needs[g]!.pods.map((pod) => pod.needs) : [])),
          view.free(offer),
        ),
      );
    }
    return subjects.some(({ offer, provider }, i) => {
      const alone = fitOf({ need: needs[at]!, offer, provider, free: view.free(offer) });
      return alone !== null && assign(at + 1, [...chosen, i]);
    });
  };
  return assign(0, []);
};

describe('on small random markets', () => {
  const seeds = fc.integer({ min: 0, max: 2 ** 31 });

  it('matches exactly when some assignment fits, takes the best where groups do not collide, and stays within limits', () => {
    let matched = 0;
    fc.assert(
      fc.property(seeds, (seed) => {
        const { world, request } = scenario(seed);
        const found = match(world, request);
        expect(found !== null).toBe(someAssignmentFits(world, request));
        if (!found) return;
        matched += 1;
        expect(found.rateMicrosPerHour <= request.maxRateMicrosPerHour).toBe(true);
        expect(found.groups.map(({ group: name }) => name)).toEqual(
          request.spec.groups.map(({ name }) => name),
        );
        expect(match(world, request)).toEqual(found);
        const [need] = groupNeeds(request);
        const best = rankCandidates(request, need!, viewOf(world.market, world.book))[0]!;
        for (const term of Object.values(best.terms)) expect(term >= 0 && term <= 1).toBe(true);
        if (request.spec.groups.length === 1) expect(found.groups[0]!.offerId).toBe(best.offer.offerId);
      }),
      { numRuns: 600 },
    );
    expect(matched).toBeGreaterThan(50);
  });

  it('explains every order that does not match, and the change it names does match', () => {
    let changes = 0;
    const fields = new Set<string>();
    fc.assert(
      fc.property(seeds, (seed) => {
        const { world, request } = scenario(seed);
        const view = viewOf(world.market, world.book);
        if (matchOrder(request, view)) return;
        const why = explain(request, view);
        expect(why.offersConsidered).toBe([...view.offers()].length);
        expect(why.constraints.length).toBeGreaterThan(0);
        const change = smallestChange(request, view);
        expect(why.smallestChange?.field ?? null).toBe(change?.field ?? null);
        if (!change) return;
        changes += 1;
        fields.add(change.field.split('.').at(-1)!);
        const emptyBook = { market: world.market, book: new CapacityBook() };
        expect(match(change.waits ? emptyBook : world, change.request)).not.toBeNull();
      }),
      { numRuns: 400 },
    );
    expect(changes).toBeGreaterThan(50);
    expect(fields.size).toBeGreaterThan(4);
  });

  it('a price change names the lowest price that matches', () => {
    const world = worldOf(['p', 'o', { perGpu: '0.40' }]);
    const request = requestFor([group('g', [service('s', { maxRate: '0.30' })])]);
    const dearer = smallestChange(request, viewOf(world.market, world.book))!;
    expect(dearer.field).toBe('maxRateUsdcPerHour');
    expect(match(world, dearer.request)!.rateMicrosPerHour).toBe(dearer.request.maxRateMicrosPerHour);
    expect(dearer.request.maxRateMicrosPerHour > parseUsdc('0.40')).toBe(true);
  });
});
