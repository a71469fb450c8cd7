import { seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { group, idOf, offerPublished, readyProvider, requestFor, service } from '../../test/builders.ts';
import { RandomMarket } from '../../test/random-market.ts';
import { CapacityBook } from './capacity-book.ts';
import { rankingOf } from './contest.ts';
import { Market } from './market.ts';
import { contestOrder, indexedViewOf, matchOrder, rankCandidates, viewOf } from './matching.ts';
import { groupNeeds } from './requirements.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

describe('who came second', () => {
  it('is the best of all that fits a group and is not taken for it, and the match is the same', () => {
    let [contested, uncontested] = [0, 0];
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 3 }), (seed, groups) => {
        const scene = new RandomMarket(seededRandom(seed)).steps(60);
        const request = scene.request(groups);
        const plain = viewOf(scene.market, scene.book);
        const found = contestOrder(request, indexedViewOf(scene.market, scene.book));
        expect(found?.match ?? null).toEqual(matchOrder(request, plain));
        if (!found) return;
        for (const need of groupNeeds(request)) {
          const taken = found.match.groups.find((one) => one.group === need.group.name)!;
          const second = rankCandidates(request, need, plain).find(
            ({ offer }) => offer.offerId !== taken.offerId,
          );
          expect(found.runnersUp.get(need.group.name)?.offer.offerId).toBe(second?.offer.offerId);
          if (second) contested += 1;
          else uncontested += 1;
        }
      }),
      { numRuns: 500 },
    );
    expect(Math.min(contested, uncontested)).toBeGreaterThan(0);
  });

  it('may be the better of the two, where another group has taken its place', () => {
    const market = new Market();
    const lone = { nodes: [{ gpus: 1 }] };
    for (const [name, perGpu] of [
      ['better', '0.10'],
      ['worse', '0.50'],
    ] as const) {
      const events = [...readyProvider(name), offerPublished(name, name, { ...lone, perGpu })];
      events.forEach((event, i) => market.apply(event, i + 1));
    }
    const request = requestFor(['a', 'b'].map((name) => group(name, [service('web', { maxRate: '1' })])));
    const ranking = rankingOf(contestOrder(request, viewOf(market, new CapacityBook()))!);
    const [better, worse] = [idOf('offer', 'better'), idOf('offer', 'worse')];
    expect(ranking).toMatchObject([
      { group: 'a', winner: { offerId: better }, runnerUp: { offerId: worse } },
      { group: 'b', winner: { offerId: worse }, runnerUp: { offerId: better } },
    ]);
  });

  it('is told with what both were worth, in a few digits', () => {
    const market = new Market();
    [...readyProvider('a'), offerPublished('a', 'a', { perGpu: '0.30' })].forEach((event, i) =>
      market.apply(event, i + 1),
    );
    [...readyProvider('b'), offerPublished('b', 'b', { perGpu: '0.70' })].forEach((event, i) =>
      market.apply(event, i + 1),
    );
    const request = requestFor([group('main', [service('web', { maxRate: '1' })])]);
    const ranking = rankingOf(contestOrder(request, viewOf(market, new CapacityBook()))!);
    expect(ranking).toEqual([
      {
        group: 'main',
        winner: expect.objectContaining({ offerId: idOf('offer', 'a'), providerId: idOf('provider', 'a') }),
        runnerUp: expect.objectContaining({ offerId: idOf('offer', 'b'), providerId: idOf('provider', 'b') }),
      },
    ]);
    const [{ winner, runnerUp }] = ranking as [(typeof ranking)[0]];
    expect(winner.score).toBeGreaterThan(runnerUp!.score);
    expect(winner.terms['cost']).toBeGreaterThan(runnerUp!.terms['cost']!);
    for (const figure of [...Object.values(winner.terms), ...Object.values(runnerUp!.terms)])
      expect(`${figure}`.length).toBeLessThanOrEqual(6);
  });
});
