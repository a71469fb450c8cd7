import { formatUsdc, type Micros } from '@gridbourse/kernel';

type Amount = { readonly micros: Micros };

/** The parts of an auction that a bid is made from. */
export type OpenAuction = {
  readonly orderId: string;
  readonly groups: readonly {
    readonly group: string;
    /** The most that the order pays per hour. */
    readonly maxRate: Amount;
    /** Our offers that could serve it. */
    readonly offers: readonly {
      readonly offerId: string;
      readonly listRate: Amount;
      readonly bid: { readonly rate: Amount } | null;
    }[];
  }[];
};

export type PlannedBid = {
  readonly orderId: string;
  readonly group: string;
  readonly offerId: string;
  readonly rateUsdcPerHour: string;
};

/** What is asked in an auction: the list price less the discount, rounded up, micro-USDC per hour. */
export const askMicros = (listMicros: Micros, discountPercent: number): Micros =>
  (listMicros * BigInt(100 - discountPercent) + 99n) / 100n;

/**
 * The bids that are not placed yet. No bid where the order pays less than is asked, nor where the list price, which
 * stands anyway, is no more.
 */
export const planBids = (auctions: readonly OpenAuction[], discountPercent: number): PlannedBid[] =>
  auctions.flatMap(({ orderId, groups }) =>
    groups.flatMap(({ group, maxRate, offers }) =>
      offers.flatMap(({ offerId, listRate, bid }) => {
        const ask = askMicros(listRate.micros, discountPercent);
        if (ask >= listRate.micros || ask > maxRate.micros || bid?.rate.micros === ask) return [];
        return [{ orderId, group, offerId, rateUsdcPerHour: formatUsdc(ask) }];
      }),
    ),
  );
