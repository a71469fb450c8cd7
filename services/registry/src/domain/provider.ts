import type { OfferNode, Place, SealedBox } from '@gridbourse/events';
import {
  type AccountId,
  conflict,
  type Decider,
  DomainError,
  type Instant,
  type Micros,
  notFound,
  type OfferId,
  type ProviderId,
} from '@gridbourse/kernel';
import type { Capacities } from './inventory.ts';
import { type OfferContent, sameContent, sameNodes, sellableNodes } from './offer-content.ts';
import type { RegistryProviderEvent } from './private-events.ts';
import { evolveProvider, NO_PROVIDER, type OfferState, type ProviderState } from './provider-state.ts';
import { deservedTier, type EraResult, nextStanding, type TierRule } from './tiers.ts';

/** Offers a provider may have on the market at once. */
export const MAX_OFFERS = 200;

export type ProviderCommand =
  | {
      type: 'Register';
      providerId: ProviderId;
      accountId: AccountId;
      wallet: string;
      name: string;
      place: Place;
      attributes: Record<string, string>;
      atMs: Instant;
    }
  | { type: 'AttachCluster'; apiServer: string; kubeconfig: SealedBox; atMs: Instant }
  | {
      type: 'SeeStake';
      chainProviderId: number;
      stakeMicros: Micros;
      minStakeMicros: Micros;
      /** The block that showed the earlier stake is no longer part of the chain. */
      retracted: boolean;
      atMs: Instant;
    }
  | { type: 'HearHeartbeat'; atMs: Instant }
  | { type: 'MissHeartbeats'; lastSeenAtMs: Instant; atMs: Instant }
  | { type: 'GiveUp'; lastSeenAtMs: Instant; atMs: Instant }
  | { type: 'Suspend'; reason: string; atMs: Instant }
  | { type: 'Reinstate'; atMs: Instant }
  | { type: 'CloseEra'; era: number; result: EraResult; rules: readonly TierRule[]; atMs: Instant }
  | { type: 'DeclareOffer'; offerId: OfferId; content: OfferContent; capacities: Capacities; atMs: Instant }
  | { type: 'WithdrawOffer'; offerId: OfferId; reason: string; atMs: Instant }
  | { type: 'SeeCapacities'; capacities: Capacities; atMs: Instant };

type Command<T extends ProviderCommand['type']> = Extract<ProviderCommand, { type: T }>;
type Registered = ProviderState & { readonly providerId: ProviderId };

const seeStake = (command: Command<'SeeStake'>, state: Registered): RegistryProviderEvent[] => {
  const { providerId } = state;
  const { chainProviderId, stakeMicros, minStakeMicros, retracted, atMs } = command;
  const events: RegistryProviderEvent[] = [];
  const known = state.stake;
  if (known?.stakeMicros !== stakeMicros || known.chainProviderId !== chainProviderId) {
    events.push({ type: 'StakeSeen', providerId, chainProviderId, stakeMicros, atMs });
  }
  const enough = stakeMicros >= minStakeMicros;
  if (enough && !state.staked) {
    events.push({ type: 'ProviderActivated', providerId, chainProviderId, stakeMicros, activatedAtMs: atMs });
  }
  if (!enough && state.staked) {
    const reason = retracted ? 'stake_retracted' : 'stake_below_minimum';
    events.push({ type: 'ProviderDeactivated', providerId, stakeMicros, reason, atMs });
  }
  return events;
};

const closeEra = (command: Command<'CloseEra'>, state: Registered): RegistryProviderEvent[] => {
  const { providerId } = state;
  const { era, result, rules, atMs } = command;
  if (state.lastEra !== null && era <= state.lastEra) return [];
  const deserved = deservedTier(rules, result);
  const { tier: to, betterEras, worseEras } = nextStanding(rules, state.standing, deserved);
  const from = state.standing.tier;
  const events: RegistryProviderEvent[] = [
    { type: 'EraClosed', providerId, era, ...result, closedAtMs: atMs },
    { type: 'StandingCounted', providerId, era, deservedTier: deserved, betterEras, worseEras },
  ];
  if (to !== from) events.push({ type: 'TierChanged', providerId, from, to, atMs });
  return events;
};

const published = (
  state: Registered,
  offerId: OfferId,
  content: OfferContent,
  nodes: OfferNode[],
  revision: number,
  atMs: Instant,
): RegistryProviderEvent => ({
  type: 'OfferPublished',
  providerId: state.providerId,
  offerId,
  revision,
  gpu: content.gpu,
  nodes,
  price: content.price,
  policy: content.policy,
  storageClasses: [...content.storageClasses],
  interconnect: content.interconnect,
  publishedAtMs: atMs,
});

const liveOffers = (state: ProviderState): [OfferId, OfferState][] =>
  [...state.offers].filter(([, offer]) => !offer.withdrawn);

const declared = (
  state: Registered,
  offerId: OfferId,
  content: OfferContent,
  atMs: Instant,
): RegistryProviderEvent => ({
  type: 'OfferDeclared',
  providerId: state.providerId,
  offerId,
  ...content,
  nodes: [...content.nodes],
  storageClasses: [...content.storageClasses],
  declaredAtMs: atMs,
});

const canBeSold = ({ gpu, nodes }: OfferContent): boolean =>
  nodes.length > 0 && (gpu === null || nodes.some(({ gpus }) => gpus > 0));

/** A machine is in one offer, the one that named it last: the others go on without it, or end where nothing is left. */
const leaveMachines = (command: Command<'DeclareOffer'>, state: Registered): RegistryProviderEvent[] => {
  const { offerId: taker, atMs } = command;
  const moving = new Set(command.content.nodes.map(({ name }) => name));
  const stays = ({ name }: OfferNode): boolean => !moving.has(name);
  return liveOffers(state).flatMap(([offerId, { content, sellable, revision }]) => {
    if (offerId === taker || content.nodes.every(stays)) return [];
    const left = { ...content, nodes: content.nodes.filter(stays) };
    if (!canBeSold(left)) {
      const reason = `its machines are in offer ${taker} now`;
      return [{ type: 'OfferWithdrawn', providerId: state.providerId, offerId, reason, atMs }];
    }
    return [
      declared(state, offerId, left, atMs),
      published(state, offerId, left, sellable.filter(stays), revision + 1, atMs),
    ];
  });
};

const declareOffer = (command: Command<'DeclareOffer'>, state: Registered): RegistryProviderEvent[] => {
  const { offerId, content, capacities, atMs } = command;
  const known = state.offers.get(offerId);
  const live = known !== undefined && !known.withdrawn;
  if (live && sameContent(known.content, content)) return [];
  const left = leaveMachines(command, state);
  const ended = left.filter(({ type }) => type === 'OfferWithdrawn').length;
  if (!live && liveOffers(state).length - ended >= MAX_OFFERS) {
    throw new DomainError(
      'exhausted',
      'too_many_offers',
      `a provider has at most ${MAX_OFFERS} offers at once`,
    );
  }
  return [
    ...left,
    declared(state, offerId, content, atMs),
    published(state, offerId, content, sellableNodes(content, capacities), (known?.revision ?? 0) + 1, atMs),
  ];
};

const seeCapacities = (command: Command<'SeeCapacities'>, state: Registered): RegistryProviderEvent[] =>
  liveOffers(state).flatMap(([offerId, { content, sellable, revision }]) => {
    const nodes = sellableNodes(content, command.capacities, sellable);
    if (sameNodes(nodes, sellable)) return [];
    return [published(state, offerId, content, nodes, revision + 1, command.atMs)];
  });

const decideRegistered = (
  command: Exclude<ProviderCommand, { type: 'Register' }>,
  state: Registered,
): RegistryProviderEvent[] => {
  const { providerId, liveness } = state;
  const { atMs } = command;
  switch (command.type) {
    case 'AttachCluster': {
      const { apiServer, kubeconfig } = command;
      return [{ type: 'ProviderClusterAttached', providerId, apiServer, kubeconfig, attachedAtMs: atMs }];
    }
    case 'SeeStake':
      return seeStake(command, state);
    case 'HearHeartbeat':
      return liveness === 'online' ? [] : [{ type: 'ProviderOnline', providerId, atMs }];
    case 'MissHeartbeats': {
      if (liveness !== 'online') return [];
      return [{ type: 'ProviderUnreachable', providerId, lastSeenAtMs: command.lastSeenAtMs, atMs }];
    }
    case 'GiveUp': {
      // Never from online: a provider is first said to be unreachable, and gets its grace from there.
      if (liveness !== 'unreachable') return [];
      return [{ type: 'ProviderOffline', providerId, lastSeenAtMs: command.lastSeenAtMs, atMs }];
    }
    case 'Suspend':
      return state.suspended ? [] : [{ type: 'ProviderSuspended', providerId, reason: command.reason, atMs }];
    case 'Reinstate':
      if (!state.suspended) throw conflict('provider_not_suspended', 'the provider is not suspended');
      return [{ type: 'ProviderReinstated', providerId, atMs }];
    case 'CloseEra':
      return closeEra(command, state);
    case 'DeclareOffer':
      return declareOffer(command, state);
    case 'WithdrawOffer': {
      const offer = state.offers.get(command.offerId);
      if (!offer) throw notFound('offer', command.offerId);
      if (offer.withdrawn) return [];
      return [{ type: 'OfferWithdrawn', providerId, offerId: command.offerId, reason: command.reason, atMs }];
    }
    case 'SeeCapacities':
      return seeCapacities(command, state);
  }
};

/** A provider: registered once by a wallet, activated by its stake on chain, watched by its heartbeats. */
export const provider: Decider<ProviderCommand, ProviderState, RegistryProviderEvent> = {
  initial: NO_PROVIDER,
  evolve: evolveProvider,
  decide: (command, state) => {
    if (command.type === 'Register') {
      if (state.providerId !== null) return [];
      const { providerId, accountId, wallet, name, place, attributes, atMs } = command;
      return [
        {
          type: 'ProviderRegistered',
          providerId,
          accountId,
          wallet,
          name,
          place,
          attributes,
          registeredAtMs: atMs,
        },
      ];
    }
    if (state.providerId === null) {
      throw new DomainError('not_found', 'provider_not_found', 'there is no such provider');
    }
    return decideRegistered(command, { ...state, providerId: state.providerId });
  },
};
