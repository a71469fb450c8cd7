import { nextInt, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  addBidders,
  bid,
  openAuction,
  orderIn,
  refusal,
  resultOf,
  states,
  WINDOW_MS,
} from '../../../test/auctions.ts';
import { Bench } from '../../../test/bench.ts';
import { idOf } from '../../../test/builders.ts';
import { bidStateOf } from '../auction.ts';

type Sealed = { name: string; cents: number };
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const anyBids = fc.uniqueArray(
  fc.record({ name: fc.constantFrom(...NAMES), cents: fc.integer({ min: 1, max: 100 }) }),
  { selector: ({ name }) => name, minLength: 1 },
);
const usdc = ({ cents }: Sealed): string => (cents / 100).toFixed(2);

describe('whatever is bid', () => {
  const played = (bids: readonly Sealed[], late: readonly Sealed[] = []): Bench => {
    const bench = addBidders(new Bench(), NAMES, '2.00');
    openAuction(bench, 'x');
    for (const one of bids) bid(bench, 'x', one.name, usdc(one));
    bench.circumstances.now += WINDOW_MS;
    for (const one of late)
      expect(refusal(() => bid(bench, 'x', one.name, usdc(one)))).toBe('auction_closed');
    return bench.pass(0);
  };

  it('the order in which bids come changes nothing', () => {
    fc.assert(
      fc.property(anyBids, fc.integer(), (bids, seed) => {
        const random = seededRandom(seed);
        const shuffled = [...bids];
        for (let i = shuffled.length - 1; i > 0; i -= 1) {
          const j = nextInt(random, i + 1);
          [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
        }
        const [one, other] = [played(bids), played(shuffled)];
        expect(resultOf(other)).toEqual(resultOf(one));
        expect(states(other)).toEqual(states(one));
      }),
      { numRuns: 100 },
    );
  });

  it('a late bid never wins, however low', () => {
    fc.assert(
      fc.property(anyBids, anyBids, (bids, late) => {
        expect(resultOf(played(bids, late))).toEqual(resultOf(played(bids)));
      }),
      { numRuns: 50 },
    );
  });

  it('there is exactly one winner, its lease is at its price, and the lowest of equals wins', () => {
    fc.assert(
      fc.property(anyBids, (bids) => {
        const bench = played(bids);
        const won = orderIn(bench).auction!.bids.filter((one) => bidStateOf(one, false) === 'won');
        expect(won).toHaveLength(1);
        expect(bench.leases()).toMatchObject([
          { leaseId: won[0]!.leaseId, rateMicrosPerHour: won[0]!.rateMicrosPerHour },
        ]);
        const lowest = Math.min(...bids.map(({ cents }) => cents));
        expect(won[0]!.rateMicrosPerHour).toBe(BigInt(lowest) * 10_000n);
      }),
      { numRuns: 100 },
    );
  });

  it('raising a losing bid leaves the winner as it is', () => {
    fc.assert(
      fc.property(anyBids, (bids) => {
        const won = resultOf(played(bids)).groups[0]!.winner!;
        const raised = bids.map((one) =>
          idOf('provider', one.name) === won.providerId ? one : { ...one, cents: 100 },
        );
        expect(resultOf(played(raised)).groups[0]!.winner!.providerId).toBe(won.providerId);
      }),
      { numRuns: 50 },
    );
  });
});
