import { nextInt, type Random } from '@gridbourse/kernel';
import type { Bid } from '../src/domain/auction.ts';
import type { Market } from '../src/domain/market.ts';
import { idOf } from './builders.ts';

/** Bids for a group on about so many of the offers, from far below to far above what is usually asked. */
export const someBids = (market: Market, group: string, random: Random, share = 0.2): Bid[] =>
  [...market.offers()]
    .filter(() => random.next() < share)
    .map(({ offerId, providerId }) => ({
      bidId: idOf('bid', `${offerId}/${group}`),
      providerId,
      offerId,
      group,
      rateMicrosPerHour: BigInt(1 + nextInt(random, 3_000_000)),
      validUntilMs: 0,
      revision: 1,
      placedAtMs: 0,
      verdict: null,
      leaseId: null,
      holds: false,
    }));
