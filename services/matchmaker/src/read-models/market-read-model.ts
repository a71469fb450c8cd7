import type { HearingReadModel } from '@gridbourse/event-store';
import {
  type DomainEvent,
  eraClosed,
  offerPublished,
  offerWithdrawn,
  providerActivated,
  providerDeactivated,
  type ProviderEvent,
  providerOffline,
  providerOnline,
  providerRegistered,
  providerReinstated,
  providerSuspended,
  providerUnreachable,
  tierChanged,
} from '@gridbourse/events';
import type { OfferId, ProviderId } from '@gridbourse/kernel';
import { In } from 'typeorm';
import { Market, type Offer, type Provider } from '../domain/market.ts';
import { OfferEntity, offerOfRow, offerRow, ProviderEntity, providerOf } from './market.entities.ts';

type Heard = { readonly event: ProviderEvent; readonly sequence: number };

/** Providers and offers, made anew from what the registry said, by the rules by which it was heard. */
export const marketReadModel: HearingReadModel<DomainEvent> = {
  name: 'market',
  version: 2,
  tables: ['providers', 'offers'],
  hears: [
    ...[providerRegistered, providerActivated, providerDeactivated, providerOnline, providerUnreachable],
    ...[providerOffline, providerSuspended, providerReinstated, tierChanged, eraClosed],
    ...[offerPublished, offerWithdrawn],
  ],
  project: async (manager, facts) => {
    const heard = facts.flatMap((fact): Heard[] =>
      'heard' in fact ? [{ event: fact.heard.event as ProviderEvent, sequence: fact.heard.sequence }] : [],
    );
    const providerIds = [...new Set(heard.map(({ event }) => event.providerId))];
    const offerIds = [...new Set(heard.flatMap(({ event }) => ('offerId' in event ? [event.offerId] : [])))];
    const market = new Market();
    market.restore(
      (await manager.findBy(ProviderEntity, { providerId: In(providerIds) })).map(providerOf),
      (await manager.findBy(OfferEntity, { offerId: In(offerIds) })).map(offerOfRow),
    );
    const providers = new Map<ProviderId, Provider>();
    const offers = new Map<OfferId, Offer>();
    for (const { event, sequence } of heard) {
      const change = market.apply(event, sequence);
      if (change) providers.set(change.provider.providerId, change.provider);
      if (change?.offer) offers.set(change.offer.offerId, change.offer);
    }
    if (providers.size > 0) {
      const rows = [...providers.values()].map((provider) => ({ ...provider }));
      await manager.upsert(ProviderEntity, rows, ['providerId']);
    }
    if (offers.size > 0) await manager.upsert(OfferEntity, [...offers.values()].map(offerRow), ['offerId']);
  },
};
