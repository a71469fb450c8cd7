import { type DomainError, parseUsdc } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import {
  addBidders,
  auctionOf,
  bid,
  closeAuction,
  listRate,
  MAIN,
  openAuction,
  orderIn,
  refusal,
  WINDOW_MS,
} from '../../../test/auctions.ts';
import { Bench } from '../../../test/bench.ts';
import { idOf, NOON, offerPublished, policies, readyProvider, submission } from '../../../test/builders.ts';
import { openAuctionsFor } from './bidding.ts';
import { hearOfProvider } from './provider.ts';

describe('bidding', () => {
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
        closeAuction(bench);
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
    const before = orderIn(bench).version;
    expect(refusal(() => attempt(bench))).toBe(code);
    expect(orderIn(bench).auction!.bids).toEqual([]);
    if (orderIn(bench).state === 'bidding') expect(orderIn(bench).version).toBe(before);
  });

  it('says in the refusal when the window closed', () => {
    const bench = closeAuction(auctionOf());
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
