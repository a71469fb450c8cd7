import { type Random, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Bench } from '../../../test/bench.ts';
import {
  group,
  idOf,
  offerPublished,
  readyProvider,
  refOf,
  requestFor,
  service,
  submission,
  TENANT,
} from '../../../test/builders.ts';
import { ACTS, endEverything, pick } from '../../../test/histories/acts.ts';
import {
  checkBurdens,
  checkCapacity,
  checkGangs,
  checkHolds,
  checkNoMachineIsOversold,
  checkSharing,
  checkTerminals,
  checkWinners,
} from '../../../test/histories/invariants.ts';
import { openMarket } from '../../../test/histories/market.ts';
import { bytes, facts, rebuilt } from '../../../test/histories/restart.ts';
import { isTerminal, type Lease } from '../lease.ts';
import { matchOrder } from '../matching.ts';
import { isEnded } from '../order.ts';
import { cancelOrder } from './tenant.ts';

/** A sealed bid won this lease. */
const isBidOf = (bench: Bench, { orderId, leaseId }: Lease): boolean =>
  bench.order(orderId).auction?.bids.some((bid) => bid.leaseId === leaseId) ?? false;

describe('random histories', () => {
  it('keep every invariant at every step, rebuild to the same state, and end with nothing held', () => {
    let proposals = 0;
    let [won, parts, ofSlots] = [0, 0, 0];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        const bench = openMarket();
        for (let step = 0; step < 60; step += 1) {
          const mark = bench.log.length;
          pick(random, ACTS)!(bench, random);
          bench.run(() => undefined);
          checkCapacity(bench.exchange);
          checkNoMachineIsOversold(bench.exchange);
          checkGangs(bench, mark);
          bench.pass(0);
          checkHolds(bench);
          checkBurdens(bench);
          checkWinners(bench);
        }
        checkTerminals(bench);
        ofSlots += checkSharing(bench);
        expect(facts(rebuilt(bench))).toEqual(facts(bench.exchange));
        expect(bytes(rebuilt(bench))).toBe(bytes(bench.exchange));
        won += bench.leases().filter((lease) => isBidOf(bench, lease)).length;
        parts += bench.leases().filter(({ part }) => part !== null).length;
        proposals += bench.story().filter((type) => type === 'LeaseProposed').length;
        endEverything(bench);
        expect([...bench.exchange.orders()].filter((order) => !isEnded(order.state))).toEqual([]);
        expect([...bench.exchange.leases()]).toEqual([]);
        for (const lease of bench.leases()) {
          expect(isTerminal(lease.state)).toBe(true);
          expect(lease.capacityReleased).toBe(true);
        }
        expect([...bench.exchange.book.all()]).toEqual([]);
      }),
      { numRuns: 80 },
    );
    expect(ofSlots).toBeGreaterThan(5);
    expect(proposals).toBeGreaterThan(100);
    expect(won).toBeGreaterThan(20);
    expect(parts).toBeGreaterThan(20);
  });

  it('that fail half-way leave no trace', () => {
    const bench = openMarket();
    bench.submit(submission('kept', [group('g', [service('s')])]));
    const before = facts(bench.exchange);
    const sabotage = (): void => {
      bench.run((unit) => {
        cancelOrder(unit, TENANT, idOf('order', 'kept'));
        throw new Error('sabotage');
      });
    };
    expect(sabotage).toThrow('sabotage');
    checkBurdens(bench);
    expect(facts(bench.exchange)).toEqual(before);
  });

  it('decide alike after a restart: the next order finds the same place', () => {
    let placed = 0;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        const bench = openMarket();
        for (let step = 0; step < 30; step += 1) pick(random, ACTS)!(bench, random);
        const again = rebuilt(bench);
        const request = requestFor([group('g', [service('s')])], { orderId: idOf('order', `${seed}`) });
        const found = matchOrder(request, bench.exchange.view);
        expect(matchOrder(request, again.view)).toEqual(found);
        if (found) placed += 1;
        for (const { leaseId } of random.next() < 0.5 ? again.leases() : [...again.leases()].reverse()) {
          expect(again.leaseByReference(refOf(leaseId))?.leaseId).toBe(leaseId);
        }
        expect(again.leaseByReference('of nobody')).toBeUndefined();
      }),
      { numRuns: 40 },
    );
    expect(placed).toBeGreaterThan(5);
  });

  it('end alike in whatever order independent words of the registry arrive', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const histories = Array.from({ length: 6 }, (_, i) => [
          ...readyProvider(`p${i}`, { tier: 1 + (i % 7) }),
          offerPublished(`p${i}`, `offer of p${i}`, { nodes: [{ gpus: 1 + (i % 3) }], perGpu: '0.40' }),
        ]);
        const outcomeOf = (random: Random | null): unknown => {
          const left = histories.map((words) => [...words]);
          const bench = new Bench();
          for (;;) {
            const some = left.filter((words) => words.length > 0);
            if (some.length === 0) break;
            // Words of one provider keep their order; providers are independent of each other.
            bench.market((random ? pick(random, some)! : some[0]!).shift()!);
          }
          const orders = Array.from({ length: 5 }, (_, i) =>
            bench.submit(submission(`order ${i}`, [group('g', [service('s')])])),
          );
          return orders.map(({ orderId }) =>
            bench.exchange.leasesOf(orderId).map(({ offerId, placements }) => ({ offerId, placements })),
          );
        };
        expect(outcomeOf(seededRandom(seed))).toEqual(outcomeOf(null));
      }),
      { numRuns: 25 },
    );
  });
});
