import type { Micros, OfferId } from '@gridbourse/kernel';
import type { Bid } from './auction.ts';
import type { Offer } from './market.ts';
import type { MarketView } from './matching.ts';
import type { Price } from './pricing.ts';

/** The same market with other prices; `priceOf` gives null where the price stays as it is. */
const repriced = (view: MarketView, priceOf: (offer: Offer) => Price | null): MarketView => {
  const originals = new WeakMap<Offer, Offer>();
  return {
    *offers() {
      for (const { offer, provider } of view.offers()) {
        const price = priceOf(offer);
        if (price === null) {
          yield { offer, provider };
          continue;
        }
        const changed: Offer = { ...offer, price };
        originals.set(changed, offer);
        yield { offer: changed, provider };
      }
    },
    free: (offer) => view.free(originals.get(offer) ?? offer),
  };
};

/** The market as an auction sees it: an offer asks what was bid for it, and its list price for groups without a bid. */
export const withBids = (view: MarketView, bids: readonly Bid[]): MarketView => {
  if (bids.length === 0) return view;
  const byOffer = new Map<OfferId, Map<string, Micros>>();
  for (const { offerId, group, rateMicrosPerHour } of bids) {
    const rates = byOffer.get(offerId) ?? new Map<string, Micros>();
    byOffer.set(offerId, rates.set(group, rateMicrosPerHour));
  }
  const priced = repriced(view, (offer) => {
    const rates = byOffer.get(offer.offerId);
    return rates ? { ...offer.price, bids: rates } : null;
  });
  return view.survey ? { ...priced, survey: view.survey.withBids(byOffer) } : priced;
};

const FREE_OF_CHARGE: Price = { perGpu: 0n, perCpuCore: 0n, perMemoryGiB: 0n, perStorageGiB: 0n };

/** The market with every price out of the way: who could serve an order, were it for the money alone. */
export const freeOfCharge = (view: MarketView): MarketView => repriced(view, () => FREE_OF_CHARGE);
