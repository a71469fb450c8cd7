import type { OfferNode } from '@gridbourse/events';
import type { Micros, OfferId, ProviderId, Transitions } from '@gridbourse/kernel';
import type { Liveness } from './liveness.ts';
import type { OfferContent } from './offer-content.ts';
import type { RegistryProviderEvent } from './private-events.ts';
import { FIRST_STANDING, type Standing, type Tier } from './tiers.ts';

/** What the API shows, and what decides whether offers are matched: only those of `active` providers are. */
export type ProviderStatus = 'registered' | 'active' | 'unreachable' | 'offline' | 'suspended';

/** Every move there is. `registered` also takes back a provider whose stake is gone. */
export const PROVIDER_TRANSITIONS: Transitions<ProviderStatus> = {
  registered: ['active', 'unreachable', 'offline', 'suspended'],
  active: ['registered', 'unreachable', 'suspended'],
  unreachable: ['registered', 'active', 'offline', 'suspended'],
  offline: ['registered', 'active', 'suspended'],
  suspended: ['registered', 'active', 'unreachable', 'offline'],
};

export type OfferState = {
  readonly content: OfferContent;
  /** What the market was told last; fewer than declared while machines are sick. */
  readonly sellable: readonly OfferNode[];
  readonly revision: number;
  readonly withdrawn: boolean;
};

export type ProviderState = {
  readonly providerId: ProviderId | null;
  readonly accountId: string | null;
  readonly wallet: string | null;
  readonly stake: { readonly chainProviderId: number; readonly stakeMicros: Micros } | null;
  readonly staked: boolean;
  readonly suspended: boolean;
  readonly liveness: Liveness;
  readonly standing: Standing;
  readonly lastEra: number | null;
  readonly offers: ReadonlyMap<OfferId, OfferState>;
};

export const NO_PROVIDER: ProviderState = {
  providerId: null,
  accountId: null,
  wallet: null,
  stake: null,
  staked: false,
  suspended: false,
  liveness: 'unseen',
  standing: FIRST_STANDING,
  lastEra: null,
  offers: new Map(),
};

export const statusOf = (state: Pick<ProviderState, 'staked' | 'suspended' | 'liveness'>): ProviderStatus => {
  if (state.suspended) return 'suspended';
  if (!state.staked || state.liveness === 'unseen') return 'registered';
  return state.liveness === 'online' ? 'active' : state.liveness;
};

const evolveOffers = (
  offers: ReadonlyMap<OfferId, OfferState>,
  event: Extract<RegistryProviderEvent, { type: 'OfferDeclared' | 'OfferPublished' | 'OfferWithdrawn' }>,
): ReadonlyMap<OfferId, OfferState> => {
  const known = offers.get(event.offerId);
  if (event.type === 'OfferDeclared') {
    const { label, gpu, nodes, price, policy, storageClasses, interconnect } = event;
    const content: OfferContent = { label, gpu, nodes, price, policy, storageClasses, interconnect };
    return new Map(offers).set(event.offerId, {
      content,
      sellable: known?.sellable ?? [],
      revision: known?.revision ?? 0,
      withdrawn: false,
    });
  }
  if (!known) return offers;
  const next: OfferState =
    event.type === 'OfferPublished'
      ? { ...known, sellable: event.nodes, revision: event.revision, withdrawn: false }
      : { ...known, withdrawn: true };
  return new Map(offers).set(event.offerId, next);
};

export const evolveProvider = (state: ProviderState, event: RegistryProviderEvent): ProviderState => {
  switch (event.type) {
    case 'ProviderRegistered':
      return { ...state, providerId: event.providerId, accountId: event.accountId, wallet: event.wallet };
    case 'ProviderClusterAttached':
      return state;
    case 'StakeSeen':
      return { ...state, stake: { chainProviderId: event.chainProviderId, stakeMicros: event.stakeMicros } };
    case 'ProviderActivated':
      return { ...state, staked: true };
    case 'ProviderDeactivated':
      return { ...state, staked: false };
    case 'ProviderOnline':
      return { ...state, liveness: 'online' };
    case 'ProviderUnreachable':
      return { ...state, liveness: 'unreachable' };
    case 'ProviderOffline':
      return { ...state, liveness: 'offline' };
    case 'ProviderSuspended':
      return { ...state, suspended: true };
    case 'ProviderReinstated':
      return { ...state, suspended: false };
    case 'EraClosed':
      return { ...state, lastEra: event.era };
    case 'StandingCounted': {
      const { betterEras, worseEras } = event;
      return { ...state, standing: { ...state.standing, betterEras, worseEras } };
    }
    case 'TierChanged':
      return { ...state, standing: { ...state.standing, tier: event.to as Tier } };
    case 'OfferDeclared':
    case 'OfferPublished':
    case 'OfferWithdrawn':
      return { ...state, offers: evolveOffers(state.offers, event) };
  }
};
