import { nextInt, type OfferId, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { group, idOf, offerPublished, readyProvider, service } from '../../test/builders.ts';
import { leftOf, NOTHING, plus } from './amounts.ts';
import {
  amountsByNode,
  CapacityBook,
  groupAmounts,
  type NodeFree,
  type Taking,
  unitOf,
} from './capacity-book.ts';
import { Market, type Offer } from './market.ts';

type Sold = {
  readonly nodes: Readonly<Record<string, number>>;
  readonly slots?: number;
  readonly word?: string;
  readonly revision?: number;
};

/** An offer of GPUs, by machine, whole or in so many slots each. */
const offerOf = ({ nodes, slots, word = 'o', revision = 1 }: Sold): Offer => {
  const market = new Market();
  const published = offerPublished('p', word, {
    revision,
    nodes: Object.values(nodes).map((gpus) => ({ gpus })),
    sharing: slots === undefined ? { mode: 'whole' } : { mode: 'shared', slotsPerGpu: slots },
  });
  const named = published.nodes.map((node, at) => ({ ...node, name: Object.keys(nodes)[at]! }));
  const events = [...readyProvider('p'), { ...published, nodes: named }];
  events.forEach((event, i) => market.apply(event, i + 1));
  return market.offer(idOf('offer', word))!;
};

const plainOffer = (...gpus: number[]): Offer =>
  offerOf({ nodes: Object.fromEntries(gpus.map((count, at) => [`node-${at + 1}`, count])) });

const taking = (word: string, onNodes: Record<string, number>, offer = plainOffer(1)): Taking => ({
  leaseId: idOf('lease', word),
  providerId: offer.providerId,
  offerId: offer.offerId,
  unit: unitOf(offer.gpu),
  claim: 'held',
  onNodes: new Map(
    Object.entries(onNodes).map(([node, gpus]) => [node, { ...NOTHING, cpuMillis: 500, gpus }]),
  ),
});

const gpusOf = (book: CapacityBook, offer: Offer): number[] => book.free(offer).map(({ gpus }) => gpus);

describe('the capacity book', () => {
  it('derives what is free anew from declared and taken, whatever was put, replaced, removed and moved', () => {
    let foreign = 0;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        const book = new CapacityBook();
        const told = new Set<OfferId>();
        book.watch((offerId) => told.add(offerId));
        // Two offers of a provider, between which its machines move.
        const sold: [Sold, Sold] = [
          { nodes: { a: 4, b: 8 }, word: 'x' },
          { nodes: { c: 8 }, word: 'y' },
        ];
        let offers = sold.map(offerOf);
        const live = new Map<string, Taking>();
        const seen = new Map<OfferId, readonly NodeFree[]>();
        for (let step = 0; step < 40; step += 1) {
          const word = `${nextInt(random, 8)}`;
          const kind = nextInt(random, 6);
          if (kind === 0) {
            const names = ['a', 'b', 'c', 'd'].map(
              (name) => [name, nextInt(random, 3), nextInt(random, 9)] as const,
            );
            offers = [0, 1].map((at) =>
              offerOf({
                word: at === 0 ? 'x' : 'y',
                nodes: Object.fromEntries([
                  ...names.filter(([, where]) => where === at).map(([name, , gpus]) => [name, gpus]),
                  [`own of ${at}`, 1],
                ]),
                ...(nextInt(random, 3) === 0 ? { slots: 4 } : {}),
              }),
            );
            seen.clear();
          } else if (kind === 1) {
            live.delete(word);
            book.remove(idOf('lease', word));
          } else {
            const offer = offers[nextInt(random, 2)]!;
            const names = offer.nodes.map(({ name }) => name);
            const on = { [names[nextInt(random, names.length)]!]: nextInt(random, 3), [names[0]!]: 1 };
            const one = taking(word, on, offer);
            live.set(word, one);
            book.put(one);
          }
          for (const offer of offers) {
            const unit = unitOf(offer.gpu);
            const expected = offer.nodes.map((node) => {
              const here = [...live.values()].flatMap((one) => {
                const amounts = one.onNodes.get(node.name);
                if (!amounts) return [];
                if (one.offerId !== offer.offerId) foreign += 1;
                return [one.unit === unit || amounts.gpus === 0 ? amounts : { ...amounts, gpus: node.gpus }];
              });
              return leftOf(node, here.reduce(plus, NOTHING));
            });
            const before = seen.get(offer.offerId);
            const free = book.free(offer);
            expect(free).toMatchObject(expected);
            expect(book.free(offer)).toBe(free);
            // Whoever keeps what was free hears when it is no longer so.
            if (before && !told.has(offer.offerId)) expect(free).toEqual(before);
            seen.set(offer.offerId, free);
          }
          told.clear();
        }
      }),
      { numRuns: 60 },
    );
    expect(foreign).toBeGreaterThan(500);
  });

  it('tells nobody when a lease keeps what it has', () => {
    const book = new CapacityBook();
    const offer = plainOffer(4);
    let told = 0;
    book.watch(() => (told += 1));
    const held = taking('one', { 'node-1': 2 }, offer);
    const free = book.free(offer);
    book.put(held);
    expect(told).toBe(1);
    const less = book.free(offer);
    expect(less).not.toBe(free);
    book.put({ ...held, claim: 'committed', onNodes: new Map(held.onNodes) });
    expect(told).toBe(1);
    expect(book.free(offer)).toBe(less);
    expect(book.usage(offer)).toMatchObject({ held: { gpus: 0 }, committed: { gpus: 2 } });
    book.put(taking('one', { 'node-1': 1 }, offer));
    expect(told).toBeGreaterThan(1);
    expect(gpusOf(book, offer)).toEqual([3]);
  });

  it('takes a machine with its leases to the offer that it moves to', () => {
    const book = new CapacityBook();
    const before = offerOf({ nodes: { a: 8, b: 8 }, word: 'before' });
    book.put(taking('one', { a: 3 }, before));
    const after = offerOf({ nodes: { a: 8 }, word: 'after' });
    expect(gpusOf(book, after)).toEqual([5]);
    expect(book.usage(after)).toMatchObject({
      ...{ declared: { gpus: 8 }, held: { gpus: 0 }, committed: { gpus: 0 } },
      ...{ elsewhere: { gpus: 3, cpuMillis: 500 }, free: { gpus: 5 } },
    });
    // Whatever is put or given back on the old terms is seen on the new ones.
    book.put(taking('two', { a: 1 }, before));
    expect(gpusOf(book, after)).toEqual([4]);
    book.remove(idOf('lease', 'one'));
    expect(gpusOf(book, after)).toEqual([7]);
    const shrunk = offerOf({ nodes: { b: 8 }, word: 'before', revision: 2 });
    expect(book.usage(shrunk)).toMatchObject({
      held: { gpus: 0 },
      elsewhere: { gpus: 0 },
      free: { gpus: 8 },
    });
  });

  it('sells nothing of GPUs in new parts while a lease has them in old ones', () => {
    const book = new CapacityBook();
    const whole = offerOf({ nodes: { a: 8 }, word: 'whole' });
    book.put(taking('one', { a: 1 }, whole));
    const slots = offerOf({ nodes: { a: 32 }, slots: 4, word: 'slots' });
    expect(book.free(slots)).toMatchObject([{ gpus: 0, cpuMillis: slots.nodes[0]!.cpuMillis - 500 }]);
    expect(book.usage(slots).elsewhere.gpus).toBe(32);
    book.put(taking('one', { a: 0 }, whole));
    expect(gpusOf(book, slots)).toEqual([32]);
  });

  it('keeps machines of one name apart where their providers differ', () => {
    const book = new CapacityBook();
    book.put({ ...taking('one', { 'node-1': 1 }), providerId: idOf('provider', 'another') });
    expect(gpusOf(book, plainOffer(4))).toEqual([4]);
  });

  it('derives machines of one name alike', () => {
    const book = new CapacityBook();
    const twins = plainOffer(8, 8);
    const offer = { ...twins, nodes: twins.nodes.map((node) => ({ ...node, name: 'twin' })) };
    expect(gpusOf(book, offer)).toEqual([8, 8]);
    book.put(taking('a', { twin: 3 }));
    expect(gpusOf(book, offer)).toEqual([5, 5]);
  });

  it.each([-1, 0.5, NaN, Infinity, 2 ** 53])('refuses to count %p', (gpus) => {
    const book = new CapacityBook();
    book.put(taking('before', { 'node-1': 1 }));
    expect(() => book.put(taking('before', { 'node-1': gpus }))).toThrow(
      expect.objectContaining({ code: 'impossible_amounts' }),
    );
    expect(book.free(plainOffer(4))[0]!.gpus).toBe(3);
  });

  it('refuses a sum that does not count exactly', () => {
    const book = new CapacityBook();
    book.put(taking('a', { 'node-1': Number.MAX_SAFE_INTEGER }));
    book.put(taking('b', { 'node-1': Number.MAX_SAFE_INTEGER }));
    expect(() => book.free(plainOffer(4))).toThrow(expect.objectContaining({ code: 'impossible_amounts' }));
  });

  it('says which service a group has not', () => {
    const placements = [{ service: 'ghost', replica: 0, node: 'node-1' }];
    expect(() => amountsByNode(group('g', [service('s')]), placements)).toThrow('no service ghost');
  });
});

describe('recent uptime and age', () => {
  const era = (sent: number, answered: number) => ({
    type: 'EraClosed' as const,
    providerId: idOf('provider', 'p'),
    era: 1,
    challengesSent: sent,
    challengesAnswered: answered,
    responseP95Ms: null,
    closedAtMs: 1,
  });

  it('begins with the first era, then moves a quarter of the way to each', () => {
    const market = new Market();
    readyProvider('p').forEach((event, i) => market.apply(event, i + 1));
    const uptimes = [era(0, 0), era(10, 5), era(10, 10), era(0, 0)].map(
      (event, i) => market.apply(event, 10 + i)!.provider.uptime,
    );
    expect(uptimes).toEqual([null, 0.5, 0.625, 0.625]);
    // An era without a challenge tells nothing of uptime; the provider was there all the same.
    expect(market.provider(idOf('provider', 'p'))!.erasClosed).toBe(4);
    market.apply(era(1, 1), 13);
    expect(market.provider(idOf('provider', 'p'))!.erasClosed).toBe(4);
  });
});

it('a group takes what its replicas take together', () => {
  expect(
    groupAmounts(group('g', [service('a', { replicas: 3, gpus: 2 }), service('b', { gpus: 0 })])),
  ).toEqual({
    gpus: 6,
    cpuMillis: 16_000,
    memoryMiB: 32_768,
    storageMiB: 40_960,
  });
});
