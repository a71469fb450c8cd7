import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { group, idOf, offerPublished, readyProvider, requestFor, service } from '../../../test/builders.ts';
import { CapacityBook } from '../capacity-book.ts';
import { Market } from '../market.ts';
import { indexedViewOf, rankCandidates, viewOf } from '../matching.ts';
import { groupNeeds, type MatchRequest } from '../requirements.ts';

type Options = {
  readonly provider?: Parameters<typeof readyProvider>[1];
  readonly offer?: Parameters<typeof offerPublished>[2];
};

/** One offer of each of so many providers. */
const marketOf = (all: readonly Options[]): Market => {
  const market = new Market();
  all.forEach(({ provider, offer }, i) => {
    readyProvider(`p${i}`, provider).forEach((event, at) => market.apply(event, at + 1));
    market.apply(offerPublished(`p${i}`, `o${i}`, offer), 10);
  });
  return market;
};

const found = (market: Market, request: MatchRequest): string[] => {
  const book = new CapacityBook();
  const need = groupNeeds(request)[0]!;
  const [slow, fast] = [viewOf, indexedViewOf].map((view) =>
    rankCandidates(request, need, view(market, book)).map(({ offer }) => offer.offerId),
  );
  expect(fast).toEqual(slow);
  return fast!;
};

describe('what a row of the columns can but guess', () => {
  it('is decided exactly: durations and amounts that differ by one, where halves do not', () => {
    let fitted = 0;
    let left = 0;
    const around = fc.integer({ min: -2, max: 2 });
    const offers = fc.array(fc.record({ longest: around, shortest: around }), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(offers, fc.integer({ min: -2, max: 2 }), (all, more) => {
        const market = marketOf(
          all.map(({ longest, shortest }) => ({
            offer: {
              minSeconds: 86_400 + shortest,
              maxSeconds: 86_402 + longest,
              nodes: [{ gpus: 2, cpu: 64 }],
            },
          })),
        );
        const wanted = service('s', { cpuMillis: 64_000 + more, maxRate: '9' });
        const ids = found(market, requestFor([group('main', [wanted])], { durationSeconds: 86_401 }));
        if (more > 0) expect(ids).toEqual([]);
        fitted += ids.length;
        left += all.length - ids.length;
      }),
      { numRuns: 60 },
    );
    expect(fitted).toBeGreaterThan(50);
    expect(left).toBeGreaterThan(50);
  });

  it('is decided exactly: regions, of which there are more than bits', () => {
    const regions = Array.from({ length: 150 }, (_, i) => `region-${i}`);
    const market = marketOf(regions.map((region) => ({ provider: { region } })));
    for (const region of ['region-0', 'region-64', 'region-149']) {
      const request = requestFor([group('main', [service('s')], { regions: [region] })]);
      expect(found(market, request)).toEqual([idOf('offer', `o${regions.indexOf(region)}`)]);
    }
    expect(found(market, requestFor([group('main', [service('s')], { regions: ['nowhere'] })]))).toEqual([]);
  });

  it('is decided exactly: storage classes and attributes, of which any number share a bit', () => {
    const words = Array.from({ length: 200 }, (_, i) => `word-${i}`);
    const market = marketOf(
      words.map((word) => ({ provider: { attributes: { word } }, offer: { storageClasses: [word] } })),
    );
    for (const word of ['word-7', 'word-150']) {
      const only = [idOf('offer', `o${words.indexOf(word)}`)];
      const stored = group('main', [service('s', { storageClass: word })]);
      expect(found(market, requestFor([stored]))).toEqual(only);
      expect(found(market, requestFor([group('main', [service('s')], { attributes: { word } })]))).toEqual(
        only,
      );
    }
  });

  it('is decided exactly: who was named', () => {
    const market = marketOf(Array.from({ length: 40 }, () => ({})));
    const groups = [group('main', [service('s')])];
    const providers = [3, 5, 7].map((i) => idOf('provider', `p${i}`));
    expect(found(market, requestFor(groups, { includeProviders: providers }))).toHaveLength(3);
    expect(found(market, requestFor(groups, { excludeProviders: providers }))).toHaveLength(37);
    expect(found(market, requestFor(groups, { declinedBy: providers }))).toHaveLength(37);
    const both = { includeProviders: providers, declinedBy: providers.slice(1) };
    expect(found(market, requestFor(groups, both))).toEqual([idOf('offer', 'o3')]);
  });
});
