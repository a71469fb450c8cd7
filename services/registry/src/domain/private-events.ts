import {
  accountEvents,
  eventFamily,
  EventCatalogue,
  type EventOf,
  fields,
  interconnect,
  nextVersion,
  offerGpu,
  offerNode,
  offerPrice,
  providerEvents,
} from '@gridbourse/events';
import { z } from 'zod';

const account = eventFamily('registry', 'account', 'private');
const provider = eventFamily('registry', 'provider', 'private');

export const apiKeyNamed = account(
  'ApiKeyNamed',
  'What its owner calls an API key.',
  z.object({ accountId: fields.id('account'), apiKeyId: fields.id('apiKey'), name: fields.name }),
);

export const stakeSeen = provider(
  'StakeSeen',
  'The stake of the provider on chain, as far as the chain is known now.',
  z.object({
    providerId: fields.id('provider'),
    chainProviderId: z.int().min(1).max(4_294_967_295),
    stakeMicros: fields.micros,
    atMs: fields.instant,
  }),
);

/** What is declared may be more than what is published: machines that fail take their share off the market. */
const offerDeclaredV1 = provider(
  'OfferDeclared',
  'What the provider says that an offer consists of.',
  z.object({
    providerId: fields.id('provider'),
    offerId: fields.id('offer'),
    label: z.string().max(60),
    gpu: offerGpu.omit({ sharing: true }).nullable(),
    nodes: z.array(offerNode).min(1).max(10_000),
    price: offerPrice,
    policy: z.object({
      autoAccept: z.boolean(),
      minDurationSeconds: fields.count,
      maxDurationSeconds: z.int().min(1),
    }),
    storageClasses: z.array(z.string().max(63)),
    declaredAtMs: fields.instant,
  }),
);

export const offerDeclared = nextVersion(offerDeclaredV1, {
  schema: offerDeclaredV1.schema.extend({ gpu: offerGpu.nullable(), interconnect }),
  upcast: (fields) => ({
    ...fields,
    gpu: fields.gpu && { ...fields.gpu, sharing: { mode: 'whole' as const } },
    interconnect: 'ethernet' as const,
  }),
});

/** Waiting eras towards the next tier up or down; the rules may change later, what was counted does not. */
export const standingCounted = provider(
  'StandingCounted',
  'What an era did for the standing of the provider.',
  z.object({
    providerId: fields.id('provider'),
    era: z.int().min(0),
    deservedTier: z.int().min(1).max(7).nullable(),
    betterEras: fields.count,
    worseEras: fields.count,
  }),
);

export const registryAccountEvents = [...accountEvents, apiKeyNamed] as const;
export const registryProviderEvents = [...providerEvents, stakeSeen, offerDeclared, standingCounted] as const;

export type RegistryAccountEvent = EventOf<(typeof registryAccountEvents)[number]>;
export type RegistryProviderEvent = EventOf<(typeof registryProviderEvents)[number]>;
export type RegistryEvent = RegistryAccountEvent | RegistryProviderEvent;

/** Every event this service stores, public and private. */
export const registryCatalogue = new EventCatalogue<RegistryEvent>([
  ...registryAccountEvents,
  ...registryProviderEvents,
]);
