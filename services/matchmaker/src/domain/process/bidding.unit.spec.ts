import { DomainError, nextInt, parseUsdc, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addBidders, bid, bidIdOf, listRate, MAIN, openAuction, WINDOW_MS } from '../../../test/auctions.ts';
import { Bench } from '../../../test/bench.ts';
import {
  group,
  idOf,
  leaseNumber,
  NOON,
  offerPublished,
  policies,
  readyProvider,
  service,
  submission,
} from '../../../test/builders.ts';
import { bidStateOf } from '../auction.ts';
import { isEnded, type Order } from '../order.ts';
import { openAuctionsFor } from './bidding.ts';
import { anythingDue } from './deadlines.ts';
import { hearOfFundingFailure } from './money.ts';
import { hearOfProvider, rejectLease } from './provider.ts';
import { cancelOrder } from './tenant.ts';

const auctionOf = (names: readonly string[] = ['a', 'b', 'c']): Bench => {
  const bench = addBidders(new Bench(), names);
  openAuction(bench, 'x');
  return bench;
};
const order = (bench: Bench, word = 'x'): Order => bench.order(idOf('order', word));
const close = (bench: Bench): Bench => bench.pass(WINDOW_MS);
const resultOf = (bench: Bench, word = 'x') => order(bench, word).auction!.result!;
/** State of each bid, by its provider. */
const states = (bench: Bench, word = 'x') =>
  Object.fromEntries(
    order(bench, word).auction!.bids.map((one) => [
      bench.exchange.market.provider(one.providerId)!.name,
      bidStateOf(one, isEnded(order(bench, word).state)),
    ]),
  );
const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
  return 'taken';
};

describe('an auction', () => {
  it('takes bids while its window is open, and leases at the price of the best when it closes', () => {
    const bench = auctionOf();
    expect(order(bench)).toMatchObject({ state: 'bidding', mode: 'auction' });
    bid(bench, 'x', 'a', '0.40');
    bid(bench, 'x', 'b', '0.30');
    bench.pass(WINDOW_MS - 1);
    expect(order(bench).state).toBe('bidding');
    expect(bench.leases()).toEqual([]);
    expect(bench.run(anythingDue)).toBe(false);
    bench.circumstances.now += 1;
    expect(bench.run(anythingDue)).toBe(true);
    bench.pass(0);
    expect(order(bench)).toMatchObject({ state: 'matched', rateMicrosPerHour: parseUsdc('0.30') });
    expect(bench.lease(leaseNumber(1))).toMatchObject({
      providerId: idOf('provider', 'b'),
      rateMicrosPerHour: parseUsdc('0.30'),
      state: 'accepted',
    });
    expect(states(bench)).toEqual({ a: 'lost', b: 'won' });
    expect(resultOf(bench)).toMatchObject({
      bids: 2,
      standing: 1,
      failures: [],
      groups: [
        {
          group: 'main',
          fitting: 3,
          winner: { bidId: bidIdOf(idOf('order', 'x'), idOf('offer', 'b'), 'main') },
          runnerUp: { providerId: idOf('provider', 'a'), rateMicrosPerHour: parseUsdc('0.40') },
        },
      ],
    });
    expect(bench.story().slice(-6)).toEqual([
      ...['BidPlaced', 'BiddingClosed', 'BidsJudged', 'LeaseProposed', 'LeaseAccepted', 'OrderMatched'],
    ]);
  });

  it('lets every offer stand by its list price, without a word', () => {
    const bench = addBidders(new Bench(), ['dear'], '0.60');
    addBidders(bench, ['cheap'], '0.20');
    openAuction(bench, 'x');
    bid(bench, 'x', 'dear', '0.45');
    close(bench);
    expect(order(bench).rateMicrosPerHour).toBe(listRate('0.20'));
    expect(resultOf(bench).groups[0]).toMatchObject({
      winner: { bidId: null, offerId: idOf('offer', 'cheap') },
      runnerUp: { offerId: idOf('offer', 'dear') },
    });
    expect(states(bench)).toEqual({ dear: 'lost' });
  });

  it('scores as an instant match does: the cheapest does not always win', () => {
    const bench = new Bench();
    bench.market(...readyProvider('trusted', { tier: 1 }), offerPublished('trusted', 'trusted'));
    bench.market(...readyProvider('shady', { tier: 7 }), offerPublished('shady', 'shady'));
    openAuction(bench, 'x');
    bid(bench, 'x', 'trusted', '0.40');
    bid(bench, 'x', 'shady', '0.39');
    close(bench);
    expect(states(bench)).toEqual({ trusted: 'won', shady: 'lost' });
  });

  it('takes the newest of a provider’s bids, and the same bid twice as one', () => {
    const bench = auctionOf();
    bid(bench, 'x', 'a', '0.10');
    bid(bench, 'x', 'b', '0.30');
    const mark = bench.log.length;
    expect(bid(bench, 'x', 'b', '0.30').revision).toBe(1);
    expect(bench.log).toHaveLength(mark);
    expect(bid(bench, 'x', 'a', '0.42').revision).toBe(2);
    close(bench);
    expect(states(bench)).toEqual({ a: 'lost', b: 'won' });
    expect(resultOf(bench).bids).toBe(2);
  });

  it('pays each group of a gang what was bid for that group, to the micro', () => {
    const bench = addBidders(new Bench(), ['a', 'b']);
    const groups = [
      group('one', [service('s', { gpus: 3 })]),
      group('two', [service('s', { gpus: 3 })]),
      group('three', [service('s', { gpus: 1 })]),
    ];
    openAuction(bench, 'x', {}, groups);
    expect(refusal(() => bid(bench, 'x', 'a', '0.5'))).toBe('unknown_group');
    bid(bench, 'x', 'a', '0.700001', { group: 'one' });
    bid(bench, 'x', 'b', '0.600007', { group: 'two' });
    bid(bench, 'x', 'a', '0.9', { group: 'two' });
    close(bench);
    const [one, two, three] = bench.leases();
    expect([one, two].map((lease) => [lease!.group.name, lease!.rateMicrosPerHour])).toEqual([
      ['one', 700_001n],
      ['two', 600_007n],
    ]);
    expect(three!.rateMicrosPerHour).toBe(listRate('0.50'));
    expect(order(bench).rateMicrosPerHour).toBe(1_300_008n + listRate('0.50'));
  });

  it('names as second the best that did not win, be it better than the winner', () => {
    const bench = addBidders(new Bench(), ['a', 'b']);
    const four = [service('s', { gpus: 4, maxRate: '9' })];
    openAuction(bench, 'x', {}, [group('one', four), group('two', four)]);
    for (const name of ['one', 'two']) {
      bid(bench, 'x', 'a', '1', { group: name });
      bid(bench, 'x', 'b', '2', { group: name });
    }
    close(bench);
    const sides = resultOf(bench).groups.map(({ winner, runnerUp }) => [winner!.offerId, runnerUp!.offerId]);
    const [a, b] = [idOf('offer', 'a'), idOf('offer', 'b')];
    expect(sides).toEqual([
      [a, b],
      [b, a],
    ]);
  });

  it('closes behind those who waited for the same machine', () => {
    const bench = new Bench();
    bench.submit(submission('waiting', [MAIN]));
    openAuction(bench, 'x');
    bench.circumstances.now += WINDOW_MS;
    bench.market(...readyProvider('a'), offerPublished('a', 'a', { nodes: [{ gpus: 1 }] }));
    bench.pass(0);
    expect([order(bench, 'waiting').state, order(bench).state]).toEqual(['matched', 'unmatched']);
  });

  it.each<[string, string, (bench: Bench) => unknown]>([
    ['an order that is not there', 'order_not_found', (bench) => bid(bench, 'nobody', 'a', '0.1')],
    [
      'an order that is matched at once',
      'not_an_auction',
      (bench) => {
        bench.submit(submission('instant', [MAIN]));
        return bid(bench, 'instant', 'a', '0.1');
      },
    ],
    [
      'an auction that has closed',
      'auction_closed',
      (bench) => {
        close(bench);
        return bid(bench, 'x', 'a', '0.1');
      },
    ],
    [
      'a window that is over, though the close has yet to come',
      'auction_closed',
      (bench) => {
        bench.circumstances.now += WINDOW_MS;
        return bid(bench, 'x', 'a', '0.1');
      },
    ],
    ['an offer of others', 'offer_not_found', (bench) => bid(bench, 'x', 'a', '0.1', { by: 'b' })],
    ['no such offer', 'offer_not_found', (bench) => bid(bench, 'x', 'ghost', '0.1')],
    ['nothing', 'bid_too_low', (bench) => bid(bench, 'x', 'a', '0')],
    ['more than the order pays', 'bid_above_budget', (bench) => bid(bench, 'x', 'a', '1.000001')],
    [
      'a suspended provider',
      'provider_suspended',
      (bench) => {
        const providerId = idOf('provider', 'a');
        bench.market({ type: 'ProviderSuspended', providerId, reason: 'fraud', atMs: NOON });
        return bid(bench, 'x', 'a', '0.1');
      },
    ],
    [
      'a provider that is not online',
      'provider_not_online',
      (bench) => {
        const providerId = idOf('provider', 'a');
        bench.market({ type: 'ProviderUnreachable', providerId, lastSeenAtMs: NOON, atMs: NOON });
        return bid(bench, 'x', 'a', '0.1');
      },
    ],
    [
      'a provider whose stake is gone',
      'provider_not_active',
      (bench) => {
        const providerId = idOf('provider', 'a');
        const reason = 'stake_below_minimum';
        bench.market({ type: 'ProviderDeactivated', providerId, stakeMicros: 0n, reason, atMs: NOON });
        return bid(bench, 'x', 'a', '0.1');
      },
    ],
    [
      'an offer that was withdrawn',
      'offer_withdrawn',
      (bench) => {
        const ids = { providerId: idOf('provider', 'a'), offerId: idOf('offer', 'a') };
        bench.market({ type: 'OfferWithdrawn', ...ids, reason: 'sold', atMs: NOON });
        return bid(bench, 'x', 'a', '0.1');
      },
    ],
    [
      'an offer that does not fit',
      'offer_does_not_fit',
      (bench) => {
        bench.market(offerPublished('a', 'cards', { model: 'h100', vramGiB: 80 }));
        return bench.run(() => bid(bench, 'x', 'cards', '0.1', { by: 'a' }));
      },
    ],
  ])('refuses a bid for %s, with %s, and nothing changes', (_, code, attempt) => {
    const bench = auctionOf();
    const before = order(bench).version;
    expect(refusal(() => attempt(bench))).toBe(code);
    expect(order(bench).auction!.bids).toEqual([]);
    if (order(bench).state === 'bidding') expect(order(bench).version).toBe(before);
  });

  it('says in the refusal when the window closed', () => {
    const bench = close(auctionOf());
    expect(() => bid(bench, 'x', 'a', '0.1')).toThrow('2026-11-24T12:00:05.000Z');
  });

  it('names every constraint that the offer fails', () => {
    const bench = auctionOf();
    bench.market(offerPublished('a', 'cards', { model: 'h100', nodes: [{ gpus: 4, cpu: 1 }] }));
    try {
      bid(bench, 'x', 'cards', '0.1', { by: 'a' });
      throw new Error('it was taken');
    } catch (error) {
      const messages = (error as DomainError).faults.map(({ message }) => message);
      expect(messages).toEqual([expect.stringMatching(/^gpu_model: /), expect.stringMatching(/^cpu: /)]);
    }
  });

  it('limits what one provider may place, and how many bids there may be', () => {
    const bench = auctionOf();
    const cents = (n: number): string => `0.${String(n + 10)}`;
    for (let n = 0; n < policies.maxBidsPerProvider; n += 1) bid(bench, 'x', 'a', cents(n));
    expect(refusal(() => bid(bench, 'x', 'a', '0.50'))).toBe('bids_limit');
    expect(refusal(() => bid(bench, 'x', 'b', '0.50'))).toBe('taken');
    const crowd = Array.from({ length: policies.maxBidsPerOrder }, (_, n) => `c${n}`);
    addBidders(bench, crowd);
    const answers = crowd.map((name) => refusal(() => bid(bench, 'x', name, '0.50')));
    expect(answers.filter((answer) => answer === 'taken')).toHaveLength(policies.maxBidsPerOrder - 2);
  });

  it('tells what the bids failed when the market has changed under them, and never ends without a reason', () => {
    const bench = auctionOf(['a', 'b']);
    bid(bench, 'x', 'a', '0.10');
    bid(bench, 'x', 'b', '0.20');
    bench.market({
      type: 'ProviderUnreachable',
      providerId: idOf('provider', 'a'),
      lastSeenAtMs: NOON,
      atMs: NOON,
    });
    bench.market(offerPublished('b', 'b', { model: 'h100', revision: 2 }));
    close(bench);
    expect(order(bench).state).toBe('unmatched');
    expect(states(bench)).toEqual({ a: 'unfit', b: 'unfit' });
    expect(resultOf(bench)).toMatchObject({
      bids: 2,
      failures: [
        { constraint: 'gpu_model', failed: 1 },
        { constraint: 'provider_online', failed: 1 },
      ],
      groups: [{ fitting: 0, winner: null, runnerUp: null }],
    });
    const { summary, constraints } = order(bench).explanation!;
    expect(summary).toMatch(/^The auction closed with 2 sealed bids and 0 standing offers/);
    expect(summary).toContain('None of 2 offers fits');
    expect(constraints).not.toEqual([]);
  });

  it('gives a reason where nobody bids and nothing stands', () => {
    const bench = new Bench();
    openAuction(bench, 'x');
    close(bench);
    expect(order(bench).explanation!.summary).toBe(
      'The auction closed with 0 sealed bids and 0 standing offers. main: none fits. There are no offers on the market.',
    );
    addBidders(bench, ['late']);
    bench.rematch();
    expect(order(bench)).toMatchObject({ state: 'matched', rateMicrosPerHour: listRate('0.50') });
  });

  it('proposes a change with which a new order, to which nobody has bid, would match', () => {
    const bench = addBidders(new Bench(), ['a'], '3.00');
    openAuction(bench, 'x');
    bid(bench, 'x', 'a', '0.90');
    bench.market(offerPublished('a', 'a', { model: 'h100', perGpu: '3.00', revision: 2 }));
    close(bench);
    // At 0.90 an H100 would do, but at the list price it is beyond the budget as well.
    expect(order(bench).explanation).toMatchObject({
      constraints: [{ constraint: 'gpu_model', failed: 1 }],
      smallestChange: null,
    });
  });

  it('knows that waiting helps while a bid stands', () => {
    const bench = addBidders(new Bench(), ['a'], '3.00');
    bench.market(offerPublished('a', 'a', { perGpu: '3.00', nodes: [{ gpus: 1 }], revision: 2 }));
    for (const word of ['x', 'y']) {
      openAuction(bench, word);
      bid(bench, word, 'a', '0.90');
    }
    close(bench);
    expect([order(bench, 'x').state, order(bench, 'y').state].sort()).toEqual(['matched', 'unmatched']);
    const word = order(bench, 'x').state === 'matched' ? 'y' : 'x';
    expect(resultOf(bench, word).failures).toEqual([{ constraint: 'capacity', failed: 1 }]);
    expect(order(bench, word).explanation!.smallestChange!.field).toBe('wait');
    const holder = order(bench, word === 'x' ? 'y' : 'x');
    bench.run((unit) => cancelOrder(unit, holder.accountId, holder.orderId));
    bench.rematch();
    expect(states(bench, word)).toEqual({ a: 'won' });
    expect(order(bench, word).rateMicrosPerHour).toBe(parseUsdc('0.90'));
  });

  it('goes to the next best bid when the winner declines, and to the book when nobody is left', () => {
    const bench = addBidders(new Bench(), ['a', 'b']);
    for (const name of ['a', 'b']) {
      bench.market(offerPublished(name, name, { perGpu: '5.00', autoAccept: false, revision: 2 }));
    }
    openAuction(bench, 'x');
    bid(bench, 'x', 'a', '0.20');
    bid(bench, 'x', 'b', '0.70');
    close(bench);
    expect(states(bench)).toEqual({ a: 'won', b: 'lost' });
    bench.run((unit) => rejectLease(unit, idOf('account', 'owner of a'), leaseNumber(1), 'busy'));
    expect(states(bench)).toEqual({ a: 'fallen', b: 'won' });
    expect(bench.lease(leaseNumber(2))).toMatchObject({
      rateMicrosPerHour: parseUsdc('0.70'),
      state: 'proposed',
    });
    bench.pass(policies.acceptWithinMs + 1);
    expect(states(bench)).toEqual({ a: 'fallen', b: 'fallen' });
    expect(order(bench)).toMatchObject({ state: 'unmatched' });
    expect(order(bench).explanation!.summary).toContain('fail provider_declined');
  });

  it('keeps the bid while the money is missing, and takes it when the money is there', () => {
    const bench = auctionOf(['a']);
    bid(bench, 'x', 'a', '0.20');
    close(bench);
    bench.run((unit) =>
      hearOfFundingFailure(unit, {
        ...{ type: 'LeaseFundingFailed', leaseId: leaseNumber(1), cause: 'chain_unavailable' },
        ...{ detail: '', shortfallMicros: 0n, atMs: bench.circumstances.now },
      }),
    );
    expect(order(bench).state).toBe('unmatched');
    expect(states(bench)).toEqual({ a: 'fallen' });
    bench.pass(policies.fundingRetryMs);
    expect(states(bench)).toEqual({ a: 'won' });
    expect(bench.lease(leaseNumber(2)).rateMicrosPerHour).toBe(parseUsdc('0.20'));
  });

  it('holds nobody to a bid for longer than it is valid', () => {
    const bench = auctionOf(['a']);
    bid(bench, 'x', 'a', '0.20');
    bench.market({
      type: 'ProviderUnreachable',
      providerId: idOf('provider', 'a'),
      lastSeenAtMs: NOON,
      atMs: NOON,
    });
    close(bench);
    bench.pass(policies.bidValidMs);
    bench.pass(1);
    bench.market({ type: 'ProviderOnline', providerId: idOf('provider', 'a'), atMs: NOON });
    bench.rematch();
    expect(order(bench)).toMatchObject({ state: 'matched', rateMicrosPerHour: listRate('0.50') });
    expect(states(bench)).toEqual({ a: 'unfit' });
  });

  it('counts no bid that its provider no longer stands by when the close comes very late', () => {
    const bench = auctionOf(['a', 'b']);
    bid(bench, 'x', 'a', '0.20');
    bench.pass(WINDOW_MS + policies.bidValidMs + 1);
    expect(order(bench)).toMatchObject({ state: 'matched', rateMicrosPerHour: listRate('0.50') });
    expect(states(bench)).toEqual({ a: 'unfit' });
    expect(resultOf(bench)).toMatchObject({
      ...{ bids: 1, standing: 2, failures: [{ constraint: 'bid_expired', failed: 1 }] },
      groups: [{ fitting: 2, winner: { bidId: null }, runnerUp: { bidId: null } }],
    });
  });

  it('counts every bid up to the last moment of its validity', () => {
    const bench = auctionOf(['a', 'b']);
    bid(bench, 'x', 'a', '0.20');
    bench.pass(WINDOW_MS + policies.bidValidMs);
    expect(states(bench)).toEqual({ a: 'won' });
  });

  it('expires where the close came later than the order may wait', () => {
    const bench = addBidders(new Bench(), ['a']);
    openAuction(bench, 'x', { expiresAtMs: NOON + 10_000 });
    bid(bench, 'x', 'a', '0.20');
    bench.pass(10_000);
    expect(order(bench)).toMatchObject({ state: 'expired', endReason: 'expired' });
    expect(states(bench)).toEqual({ a: 'lost' });
    expect(resultOf(bench).groups).toMatchObject([
      { winner: null, runnerUp: { offerId: idOf('offer', 'a') } },
    ]);
    expect(bench.leases()).toEqual([]);
  });
});

describe('an open auction', () => {
  it('shows a provider its own part, and nothing of others or of the tenant', () => {
    const bench = auctionOf(['a', 'b']);
    bid(bench, 'x', 'b', '0.31');
    const seenBy = (name: string) =>
      openAuctionsFor(bench.exchange, idOf('account', `owner of ${name}`), bench.circumstances.now);
    expect(seenBy('a')).toMatchObject([
      {
        closesAtMs: NOON + WINDOW_MS,
        groups: [
          {
            offers: [
              { offer: { offerId: idOf('offer', 'a') }, listRateMicrosPerHour: listRate('0.50'), bid: null },
            ],
          },
        ],
      },
    ]);
    expect(seenBy('b')[0]!.groups[0]!.offers[0]!.bid).toMatchObject({ rateMicrosPerHour: parseUsdc('0.31') });
    expect(seenBy('stranger')).toEqual([]);
    bench.circumstances.now += WINDOW_MS;
    expect(seenBy('a')).toEqual([]);
  });

  it('is shown as the market is now, also after a change of it that came to nothing', () => {
    const bench = auctionOf(['a']);
    const seen = () =>
      openAuctionsFor(bench.exchange, idOf('account', 'owner of a'), bench.circumstances.now).length;
    expect(seen()).toBe(1);
    const event = offerPublished('a', 'a', { model: 'h100', revision: 2 });
    const sabotage = (): void =>
      bench.run((unit) => {
        hearOfProvider(unit, event, 99);
        expect(seen()).toBe(0);
        throw new Error('sabotage');
      });
    expect(sabotage).toThrow('sabotage');
    expect(seen()).toBe(1);
    bench.market(event);
    expect(seen()).toBe(0);
  });

  it('is for those who could serve it, whatever their list asks', () => {
    const bench = addBidders(new Bench(), ['dear'], '9.00');
    bench.market(...readyProvider('other'), offerPublished('other', 'other', { model: 'h100' }));
    openAuction(bench, 'x');
    const seenBy = (name: string) =>
      openAuctionsFor(bench.exchange, idOf('account', `owner of ${name}`), bench.circumstances.now);
    expect(seenBy('dear')).toHaveLength(1);
    expect(seenBy('other')).toEqual([]);
  });
});

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
        const won = order(bench).auction!.bids.filter((one) => bidStateOf(one, false) === 'won');
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
