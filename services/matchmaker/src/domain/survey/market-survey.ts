import type { OfferId, ProviderId } from '@gridbourse/kernel';
import type { Offers } from '../candidates.ts';
import type { CapacityBook } from '../capacity-book.ts';
import type { Market } from '../market.ts';
import type { GroupNeed } from '../requirements.ts';
import { OfferColumns } from './offer-columns.ts';
import { type Bids, type Findings, Inspection, type OnSale, type Survey } from './survey.ts';

const NO_BIDS: ReadonlyMap<OfferId, Bids> = new Map();

const kindsOf = ({ gpuKinds, termsKinds, providerKinds }: OfferColumns): OnSale => ({
  gpus: gpuKinds,
  terms: termsKinds,
  providers: providerKinds,
});

/**
 * A survey that follows the market and the capacity book: what they say has changed is looked at again when the next
 * question is asked. The first question costs a look at every offer.
 */
export class MarketSurvey implements Survey {
  private readonly columns = new OfferColumns();
  private readonly stale = new Set<OfferId>();
  private readonly staleProviders = new Set<ProviderId>();
  /** Offers that came before their provider did. */
  private readonly orphans = new Map<ProviderId, Set<OfferId>>();

  constructor(
    private readonly market: Market,
    private readonly capacity: CapacityBook,
  ) {
    for (const { offerId } of market.offers()) this.stale.add(offerId);
    market.watch({
      provider: (id) => void this.staleProviders.add(id),
      offer: (id) => void this.stale.add(id),
    });
    capacity.watch((id) => void this.stale.add(id));
  }

  findingsFor(need: GroupNeed, atMost: number, bids = NO_BIDS): Findings {
    this.settle();
    return new Inspection(this.columns, need, bids, (offer) => this.capacity.free(offer)).findings(atMost);
  }

  kinds(): OnSale {
    this.settle();
    return kindsOf(this.columns);
  }

  withBids(bids: ReadonlyMap<OfferId, Bids>): Survey {
    return {
      findingsFor: (need, atMost) => this.findingsFor(need, atMost, bids),
      kinds: () => this.kinds(),
      withBids: (others) => this.withBids(new Map([...bids, ...others])),
    };
  }

  private settle(): void {
    for (const id of this.staleProviders) this.refreshProvider(id);
    this.staleProviders.clear();
    for (const id of this.stale) this.refresh(id);
    this.stale.clear();
  }

  private refreshProvider(id: ProviderId): void {
    const provider = this.market.provider(id);
    if (provider) {
      this.columns.putProvider(provider);
      for (const offerId of this.orphans.get(id) ?? []) this.stale.add(offerId);
      this.orphans.delete(id);
      return;
    }
    for (const offerId of this.columns.offersOf(id)) this.stale.add(offerId);
  }

  private refresh(offerId: OfferId): void {
    const offer = this.market.offer(offerId);
    if (!offer || offer.withdrawn) {
      this.columns.remove(offerId);
      return;
    }
    const provider = this.market.provider(offer.providerId);
    if (provider) {
      this.columns.put(offer, provider, this.capacity.free(offer));
      return;
    }
    this.columns.remove(offerId);
    const waiting = this.orphans.get(offer.providerId);
    if (waiting) waiting.add(offerId);
    else this.orphans.set(offer.providerId, new Set([offerId]));
  }
}

/** A survey of what there is to look at just now; costs a look at every offer. */
export const surveyOf = (view: Offers): Survey => {
  const columns = new OfferColumns();
  for (const { offer, provider } of view.offers()) columns.put(offer, provider, view.free(offer));
  const withBids = (bids: ReadonlyMap<OfferId, Bids>): Survey => ({
    findingsFor: (need, atMost) => new Inspection(columns, need, bids, view.free).findings(atMost),
    kinds: () => kindsOf(columns),
    withBids: (others) => withBids(new Map([...bids, ...others])),
  });
  return withBids(NO_BIDS);
};

/** A view with a survey: its own, or one that is made now. */
export const surveyed = <View extends Offers & { readonly survey?: Survey }>(
  view: View,
): View & { readonly survey: Survey } => ({ ...view, survey: view.survey ?? surveyOf(view) });
