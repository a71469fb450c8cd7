import type {
  OfferGpu,
  OfferNode,
  OfferPrice,
  OfferPublished,
  Place,
  ProviderEvent,
} from '@gridbourse/events';
import { type AccountId, DomainError, type OfferId, type ProviderId } from '@gridbourse/kernel';
import type { Interconnect } from './interconnect.ts';

/** What has been heard of a provider's heartbeats; `unknown` until the first word. */
export type Presence = 'unknown' | 'online' | 'unreachable' | 'offline';

export type Provider = {
  readonly providerId: ProviderId;
  readonly accountId: AccountId;
  readonly name: string;
  readonly place: Place;
  readonly attributes: Readonly<Record<string, string>>;
  /** 1 (best) to 7. */
  readonly tier: number;
  /** Share of challenges answered, the last era counting a quarter and all before it the rest; null before the first. */
  readonly uptime: number | null;
  /** Eras that have closed since it registered: how long it has been known. */
  readonly erasClosed: number;
  /** Its stake on chain is at least the minimum. */
  readonly activated: boolean;
  /** Its number in the contract; null until its stake was first seen. */
  readonly chainProviderId: number | null;
  readonly suspended: boolean;
  readonly presence: Presence;
  /** Sequence of the last record heard of it: older ones are dropped. */
  readonly sequence: number;
};

export type Offer = {
  readonly offerId: OfferId;
  readonly providerId: ProviderId;
  readonly revision: number;
  readonly gpu: OfferGpu | null;
  readonly nodes: readonly OfferNode[];
  readonly price: OfferPrice;
  readonly policy: OfferPublished['policy'];
  readonly storageClasses: readonly string[];
  /** The network between its machines. */
  readonly interconnect: Interconnect;
  readonly withdrawn: boolean;
};

const machines = new WeakMap<Offer, ReadonlyMap<string, number>>();

/** The places of an offer's machines in `nodes`, by their names. */
export const machinesOf = (offer: Offer): ReadonlyMap<string, number> => {
  let places = machines.get(offer);
  if (!places) machines.set(offer, (places = new Map(offer.nodes.map(({ name }, at) => [name, at]))));
  return places;
};

/** Two offers of one provider that name the same machine: what one takes there is gone for the other. */
export const shareAMachine = (a: Offer, b: Offer): boolean => {
  if (a.offerId === b.offerId || a.providerId !== b.providerId) return false;
  const there = machinesOf(b);
  return a.nodes.some(({ name }) => there.has(name));
};

/** Where the registry lets a provider begin: the best of the community tiers. `TierChanged` tells of every later one. */
export const INITIAL_TIER = 4;

/** What a word from the registry changed. */
export type MarketChange = {
  readonly provider: Provider;
  readonly offer: Offer | null;
  /** Something can be matched now that could not be before. */
  readonly opened: boolean;
  /** The provider's leases are lost. */
  readonly lost: boolean;
};

const LAST_ERA_SHARE = 0.25;

/** An era without a challenge tells nothing. */
const uptimeAfter = (
  before: number | null,
  { challengesSent, challengesAnswered }: Extract<ProviderEvent, { type: 'EraClosed' }>,
): number | null => {
  if (challengesSent === 0) return before;
  const share = Math.min(1, challengesAnswered / challengesSent);
  return before === null ? share : before + (share - before) * LAST_ERA_SHARE;
};

const evolveProvider = (provider: Provider, event: ProviderEvent): Provider => {
  switch (event.type) {
    case 'ProviderActivated':
      return { ...provider, activated: true, chainProviderId: event.chainProviderId };
    case 'ProviderDeactivated':
      return { ...provider, activated: false };
    case 'ProviderOnline':
      return { ...provider, presence: 'online' };
    case 'ProviderUnreachable':
      return { ...provider, presence: 'unreachable' };
    case 'ProviderOffline':
      return { ...provider, presence: 'offline' };
    case 'ProviderSuspended':
      return { ...provider, suspended: true };
    case 'ProviderReinstated':
      return { ...provider, suspended: false };
    case 'TierChanged':
      return { ...provider, tier: event.to };
    case 'EraClosed':
      return {
        ...provider,
        uptime: uptimeAfter(provider.uptime, event),
        erasClosed: provider.erasClosed + 1,
      };
    default:
      return provider;
  }
};

const offerOf = (event: OfferPublished): Offer => ({
  offerId: event.offerId,
  providerId: event.providerId,
  revision: event.revision,
  gpu: event.gpu,
  nodes: event.nodes,
  price: event.price,
  policy: event.policy,
  storageClasses: event.storageClasses,
  interconnect: event.interconnect,
  withdrawn: false,
});

const OPENING: ReadonlySet<ProviderEvent['type']> = new Set([
  'ProviderActivated',
  'ProviderReinstated',
  'ProviderOnline',
  'TierChanged',
  'OfferPublished',
]);

/** Told of every change, after it: for what is derived from the market. */
export type MarketWatcher = {
  readonly provider: (id: ProviderId) => void;
  readonly offer: (id: OfferId) => void;
};

/** Can be matched at all: its stake is in place, it is not suspended, and its heartbeats arrive. */
export const isMatchable = ({ activated, suspended, chainProviderId, presence }: Provider): boolean =>
  activated && !suspended && chainProviderId !== null && presence === 'online';

/** Providers and offers as the registry tells them. Deterministic: the same records give the same market. */
export class Market {
  private readonly providersById = new Map<ProviderId, Provider>();
  private readonly offersById = new Map<OfferId, Offer>();
  private readonly watchers: MarketWatcher[] = [];

  watch(watcher: MarketWatcher): void {
    this.watchers.push(watcher);
  }

  private tellOfProvider(id: ProviderId): void {
    for (const watcher of this.watchers) watcher.provider(id);
  }

  private tellOfOffer(id: OfferId): void {
    for (const watcher of this.watchers) watcher.offer(id);
  }

  private putProvider(provider: Provider): void {
    this.providersById.set(provider.providerId, provider);
    this.tellOfProvider(provider.providerId);
  }

  private putOffer(offer: Offer): void {
    this.offersById.set(offer.offerId, offer);
    this.tellOfOffer(offer.offerId);
  }

  provider(id: ProviderId): Provider | undefined {
    return this.providersById.get(id);
  }

  offer(id: OfferId): Offer | undefined {
    return this.offersById.get(id);
  }

  providers(): IterableIterator<Provider> {
    return this.providersById.values();
  }

  /** Offers that are on sale, whatever the state of their provider. */
  *offers(): IterableIterator<Offer> {
    for (const offer of this.offersById.values()) if (!offer.withdrawn) yield offer;
  }

  /** Puts back what was stored; for the start of the service and for undoing. */
  restore(providers: Iterable<Provider>, offers: Iterable<Offer>): void {
    for (const provider of providers) this.putProvider(provider);
    for (const offer of offers) this.putOffer(offer);
  }

  /** Forgets a provider that a failed decision had introduced. */
  forget(providerId: ProviderId, offerId: OfferId | null): void {
    this.providersById.delete(providerId);
    this.tellOfProvider(providerId);
    if (offerId === null) return;
    this.offersById.delete(offerId);
    this.tellOfOffer(offerId);
  }

  /**
   * @param sequence the record's place in the provider's own order of events; an older or equal one changes nothing.
   * @returns null when nothing changed.
   * @throws DomainError `unknown_provider` when the first word of a provider is not its registration.
   */
  apply(event: ProviderEvent, sequence: number): MarketChange | null {
    const known = this.providersById.get(event.providerId);
    if (event.type === 'ProviderRegistered') {
      if (known) return null;
      const provider: Provider = {
        providerId: event.providerId,
        accountId: event.accountId,
        name: event.name,
        place: event.place,
        attributes: event.attributes,
        tier: INITIAL_TIER,
        uptime: null,
        erasClosed: 0,
        activated: false,
        chainProviderId: null,
        suspended: false,
        presence: 'unknown',
        sequence,
      };
      this.putProvider(provider);
      return { provider, offer: null, opened: false, lost: false };
    }
    if (!known) {
      throw new DomainError(
        'internal',
        'unknown_provider',
        `${event.type} of ${event.providerId}, never registered`,
      );
    }
    if (sequence <= known.sequence) return null;
    const provider = { ...evolveProvider(known, event), sequence };
    this.putProvider(provider);
    return {
      provider,
      offer: this.applyOffer(event),
      opened: OPENING.has(event.type),
      lost: event.type === 'ProviderOffline',
    };
  }

  private applyOffer(event: ProviderEvent): Offer | null {
    if (event.type === 'OfferPublished') {
      const known = this.offersById.get(event.offerId);
      if (known && known.revision >= event.revision) return null;
      const offer = offerOf(event);
      this.putOffer(offer);
      return offer;
    }
    if (event.type === 'OfferWithdrawn') {
      const known = this.offersById.get(event.offerId);
      if (!known || known.withdrawn) return null;
      const offer = { ...known, withdrawn: true };
      this.putOffer(offer);
      return offer;
    }
    return null;
  }
}
