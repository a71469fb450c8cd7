import { nextInt, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { group, idOf, offerPublished, readyProvider, service } from '../../test/builders.ts';
import { leftOf, NOTHING, plus } from './amounts.ts';
import { amountsByNode, CapacityBook, groupAmounts, type Taking } from './capacity-book.ts';
import { Market, type Offer } from './market.ts';

const offerOf = (gpus: number[], revision = 1): Offer => {
  const market = new Market();
  const events = [
    ...readyProvider('p'),
    offerPublished('p', 'o', { revision, nodes: gpus.map((n) => ({ gpus: n })) }),
  ];
  events.forEach((event, i) => market.apply(event, i + 1));
  return market.offer(idOf('offer', 'o'))!;
};

const taking = (word: string, onNodes: Record<string, number>): Taking => ({
  leaseId: idOf('lease', word),
  offerId: idOf('offer', 'o'),
  claim: 'held',
  onNodes: new Map(Object.entries(onNodes).map(([node, gpus]) => [node, { ...NOTHING, gpus }])),
});

describe('the capacity book', () => {
  it('derives what is free anew from declared and taken, whatever was put, replaced and removed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        const book = new CapacityBook();
        let offer = offerOf([4, 8, 8]);
        const live = new Map<string, Taking>();
        for (let step = 0; step < 40; step += 1) {
          const word = `${nextInt(random, 8)}`;
          const kind = nextInt(random, 6);
          if (kind === 0) offer = offerOf([nextInt(random, 9), 8, 8].slice(0, 1 + nextInt(random, 3)));
          else if (kind === 1) {
            live.delete(word);
            book.remove(offer.offerId, idOf('lease', word));
          } else {
            const one = taking(word, { [`node-${1 + nextInt(random, 3)}`]: nextInt(random, 3), 'node-2': 1 });
            live.set(word, one);
            book.put(one);
          }
          const expected = offer.nodes.map((node) =>
            leftOf(
              node,
              [...live.values()].reduce(
                (sum, { onNodes }) => plus(sum, onNodes.get(node.name) ?? NOTHING),
                NOTHING,
              ),
            ),
          );
          expect(book.free(offer)).toMatchObject(expected);
          expect(book.free(offer)).toBe(book.free(offer));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('derives machines of one name alike', () => {
    const book = new CapacityBook();
    const twins = offerOf([8, 8]);
    const offer = { ...twins, nodes: twins.nodes.map((node) => ({ ...node, name: 'twin' })) };
    expect(book.free(offer).map(({ gpus }) => gpus)).toEqual([8, 8]);
    book.put(taking('a', { twin: 3 }));
    expect(book.free(offer).map(({ gpus }) => gpus)).toEqual([5, 5]);
  });

  it.each([-1, 0.5, NaN, Infinity, 2 ** 53])('refuses to count %p', (gpus) => {
    const book = new CapacityBook();
    book.put(taking('before', { 'node-1': 1 }));
    expect(() => book.put(taking('before', { 'node-1': gpus }))).toThrow(
      expect.objectContaining({ code: 'impossible_amounts' }),
    );
    expect(book.free(offerOf([4]))[0]!.gpus).toBe(3);
  });

  it('refuses a sum that does not count exactly', () => {
    const book = new CapacityBook();
    book.put(taking('a', { 'node-1': Number.MAX_SAFE_INTEGER }));
    book.put(taking('b', { 'node-1': Number.MAX_SAFE_INTEGER }));
    expect(() => book.free(offerOf([4]))).toThrow(expect.objectContaining({ code: 'impossible_amounts' }));
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
