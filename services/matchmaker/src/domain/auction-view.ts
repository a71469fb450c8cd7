import type { Micros, OfferId } from '@gridbourse/kernel';
import type { Bid } from './auction.ts';
import type { CandidateSource } from './candidates.ts';
import type { Offer } from './market.ts';
import type { MarketView } from './matching.ts';
import type { Price } from './pricing.ts';

/** Offers at other prices, each the same object whenever it is asked for. */
class Repriced {
  private readonly changed = new WeakMap<Offer, Offer>();
  private readonly originals = new WeakMap<Offer, Offer>();

  /** @param priceOf null where the price stays as it is */
  constructor(private readonly priceOf: (offer: Offer) => Price | null) {}

  offer(original: Offer): Offer {
    const known = this.changed.get(original);
    if (known) return known;
    const price = this.priceOf(original);
    if (price === null) return original;
    const changed: Offer = { ...original, price };
    this.changed.set(original, changed);
    this.originals.set(changed, original);
    return changed;
  }

  original(offer: Offer): Offer {
    return this.originals.get(offer) ?? offer;
  }
}

/** The same market with other prices, looked at offer by offer. */
const scanned = (view: MarketView, repriced: Repriced): MarketView => ({
  *offers() {
    for (const { offer, provider } of view.offers()) yield { offer: repriced.offer(offer), provider };
  },
  free: (offer) => view.free(repriced.original(offer)),
});

/** The market as an auction sees it: an offer asks what was bid for it, and its list price for groups without a bid. */
export const withBids = (view: MarketView, bids: readonly Bid[]): MarketView => {
  if (bids.length === 0) return view;
  const byOffer = new Map<OfferId, Map<string, Micros>>();
  for (const { offerId, group, rateMicrosPerHour } of bids) {
    const rates = byOffer.get(offerId) ?? new Map<string, Micros>();
    byOffer.set(offerId, rates.set(group, rateMicrosPerHour));
  }
  const repriced = new Repriced((offer) => {
    const rates = byOffer.get(offer.offerId);
    return rates ? { ...offer.price, bids: rates } : null;
  });
  const priced = (source: CandidateSource | undefined): CandidateSource | undefined =>
    source?.withPrices?.(byOffer.keys(), (offer) => repriced.offer(offer));
  const [source, emptiedSource] = [priced(view.source), priced(view.emptiedSource)];
  return {
    ...scanned(view, repriced),
    ...(source && { source }),
    ...(emptiedSource && { emptiedSource }),
    ...(view.survey && { survey: view.survey.withBids(byOffer) }),
  };
};

const FREE_OF_CHARGE: Price = { perGpu: 0n, perCpuCore: 0n, perMemoryGiB: 0n, perStorageGiB: 0n };

/** The market with every price out of the way: who could serve an order, were it for the money alone. */
export const freeOfCharge = (view: MarketView): MarketView =>
  scanned(view, new Repriced(() => FREE_OF_CHARGE));
