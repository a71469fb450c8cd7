import { z } from 'zod';
import { eventFamily, type EventOf, nextVersion } from './define.ts';
import { address, count, id, instant, micros, name, place, sealedBox } from './fields.ts';
import { interconnect, migProfile } from './workload-spec.ts';

const account = eventFamily('registry', 'account');
const provider = eventFamily('registry', 'provider');

export const accountOpened = account(
  'AccountOpened',
  'A wallet or an operator opened an account.',
  z.object({ accountId: id('account'), wallet: address, name: name, openedAtMs: instant }),
);

export const apiKeyIssued = account(
  'ApiKeyIssued',
  'A key that other services check by its hash; the key itself is known to its holder alone.',
  z.object({
    accountId: id('account'),
    apiKeyId: id('apiKey'),
    keyHash: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .describe(
        'SHA-256 of the whole key, hexadecimal. The key has 256 random bits, so the hash gives nothing away.',
      ),
    scopes: z.array(z.string().max(60)),
    expiresAtMs: instant.nullable(),
    issuedAtMs: instant,
  }),
);

export const apiKeyRevoked = account(
  'ApiKeyRevoked',
  'The key is refused from now on.',
  z.object({ accountId: id('account'), apiKeyId: id('apiKey'), revokedAtMs: instant }),
);

export const providerRegistered = provider(
  'ProviderRegistered',
  'A provider is known; it can be matched once its stake is seen on chain and its agent is online.',
  z.object({
    providerId: id('provider'),
    accountId: id('account'),
    wallet: address,
    name: name,
    place,
    attributes: z.record(z.string(), z.string()),
    registeredAtMs: instant,
  }),
);

export const providerClusterAttached = provider(
  'ProviderClusterAttached',
  'Where the cluster of the provider answers, with its kubeconfig sealed to the orchestrator.',
  z.object({
    providerId: id('provider'),
    apiServer: z.url(),
    kubeconfig: sealedBox,
    attachedAtMs: instant,
  }),
);

export const providerActivated = provider(
  'ProviderActivated',
  'The stake on chain is at least the minimum.',
  z.object({
    providerId: id('provider'),
    chainProviderId: z.int().min(1).max(4_294_967_295).describe("The contract's own number of the provider."),
    stakeMicros: micros,
    activatedAtMs: instant,
  }),
);

export const providerDeactivated = provider(
  'ProviderDeactivated',
  'The stake on chain is below the minimum, by withdrawal or because its block was retracted: not matched until activated again.',
  z.object({
    providerId: id('provider'),
    stakeMicros: micros,
    reason: z.enum(['stake_below_minimum', 'stake_retracted']),
    atMs: instant,
  }),
);

export const providerOnline = provider(
  'ProviderOnline',
  'Heartbeats arrive.',
  z.object({ providerId: id('provider'), atMs: instant }),
);

export const providerUnreachable = provider(
  'ProviderUnreachable',
  'Heartbeats are missed: its offers are not matched, its leases go on, nothing is concluded yet.',
  z.object({ providerId: id('provider'), lastSeenAtMs: instant, atMs: instant }),
);

export const providerOffline = provider(
  'ProviderOffline',
  'Unreachable for longer than the grace time: its leases are lost.',
  z.object({ providerId: id('provider'), lastSeenAtMs: instant, atMs: instant }),
);

export const providerSuspended = provider(
  'ProviderSuspended',
  'Not matched until an operator lifts it.',
  z.object({ providerId: id('provider'), reason: z.string().max(500), atMs: instant }),
);

export const providerReinstated = provider(
  'ProviderReinstated',
  'An operator lifted the suspension.',
  z.object({ providerId: id('provider'), atMs: instant }),
);

export const tierChanged = provider(
  'TierChanged',
  'The tier, 1 (best) to 7.',
  z.object({
    providerId: id('provider'),
    from: z.int().min(1).max(7),
    to: z.int().min(1).max(7),
    atMs: instant,
  }),
);

export const eraClosed = provider(
  'EraClosed',
  'What the challenges of an era showed.',
  z.object({
    providerId: id('provider'),
    era: z.int().min(0),
    challengesSent: count,
    challengesAnswered: count,
    responseP95Ms: z.number().min(0).nullable().describe('Null when nothing was answered.'),
    closedAtMs: instant,
  }),
);

export const offerNode = z
  .object({
    name: z.string().min(1).max(253),
    gpus: count,
    cpuMillis: count.describe('Thousandths of a core.'),
    memoryMiB: count,
    storageMiB: count,
  })
  .describe('One machine of an offer: what its pods may take.');

const offerGpuV1 = z.object({
  model: z.string().min(1).max(60).describe('A catalogue id such as `h100`.'),
  vendor: z.enum(['nvidia', 'amd']),
  vramMiB: z.int().min(1),
  interface: z.enum(['pcie', 'sxm']),
});

/** What a provider sells of its GPUs: the `gpus` of its machines count these, and `perGpu` is the price of one. */
export const gpuSharing = z
  .discriminatedUnion('mode', [
    z.object({ mode: z.literal('whole') }).describe('Whole GPUs.'),
    z.object({ mode: z.literal('mig'), profile: migProfile }).describe('Slices of one MIG profile.'),
    z
      .object({
        mode: z.literal('shared'),
        slotsPerGpu: z.int().min(2).max(128).describe('A slot is that part of one GPU.'),
      })
      .describe('Time slices, without isolation between tenants.'),
  ])
  .describe('What is sold of the GPUs. The unit of `gpus` and of `perGpu`.');

export const offerGpu = offerGpuV1.extend({ sharing: gpuSharing });

const unitPrice = micros.describe('Micro-USDC per hour.');
export const offerPrice = z
  .object({ perGpu: unitPrice, perCpuCore: unitPrice, perMemoryGiB: unitPrice, perStorageGiB: unitPrice })
  .describe("Unit prices. A lease's rate is the sum over what it takes.");

const offerPublishedV1 = provider(
  'OfferPublished',
  'What a provider sells now. The same offer id with a higher revision replaces the whole offer.',
  z.object({
    providerId: id('provider'),
    offerId: id('offer'),
    revision: z.int().min(1),
    gpu: offerGpuV1.nullable().describe('Null: an offer of plain CPU machines.'),
    nodes: z.array(offerNode).min(1).max(10_000),
    price: offerPrice,
    policy: z
      .object({
        autoAccept: z.boolean(),
        minDurationSeconds: count,
        maxDurationSeconds: z.int().min(1),
      })
      .describe('The standing policy: proposals within it are accepted at once.'),
    storageClasses: z.array(z.string().max(63)),
    publishedAtMs: instant,
  }),
);

export const offerPublished = nextVersion(offerPublishedV1, {
  schema: offerPublishedV1.schema.extend({
    gpu: offerGpu.nullable().describe('Null: an offer of plain CPU machines.'),
    interconnect,
  }),
  upcast: (fields) => ({
    ...fields,
    gpu: fields.gpu && { ...fields.gpu, sharing: { mode: 'whole' as const } },
    interconnect: 'ethernet' as const,
  }),
});

export const offerWithdrawn = provider(
  'OfferWithdrawn',
  'No longer sold; leases that run on it go on.',
  z.object({ providerId: id('provider'), offerId: id('offer'), reason: z.string().max(200), atMs: instant }),
);

export const accountEvents = [accountOpened, apiKeyIssued, apiKeyRevoked] as const;
export const providerEvents = [
  providerRegistered,
  providerClusterAttached,
  providerActivated,
  providerDeactivated,
  providerOnline,
  providerUnreachable,
  providerOffline,
  providerSuspended,
  providerReinstated,
  tierChanged,
  eraClosed,
  offerPublished,
  offerWithdrawn,
] as const;

export type AccountEvent = EventOf<(typeof accountEvents)[number]>;
export type ProviderEvent = EventOf<(typeof providerEvents)[number]>;
export type OfferPublished = EventOf<typeof offerPublished>;
export type OfferNode = z.output<typeof offerNode>;
export type OfferGpu = z.output<typeof offerGpu>;
export type GpuSharing = z.output<typeof gpuSharing>;
export type OfferPrice = z.output<typeof offerPrice>;
