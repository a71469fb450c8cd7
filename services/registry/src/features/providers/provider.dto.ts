import { money, moneyDto } from '@gridbourse/api';
import { rfc3339 } from '@gridbourse/kernel';
import { z } from 'zod';
import { statusOf } from '../../domain/provider-state.ts';
import type { ProviderEntity } from '../../read-models/provider.entity.ts';

const location = z.object({
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
});

export const providerBody = z
  .object({
    name: z.string().trim().min(1).max(120),
    place: z.object({
      country: z.string().max(60).meta({ description: 'ISO 3166-1 alpha-2 code or English name' }),
      city: z.string().trim().max(80).default(''),
      region: z.string().max(40).optional().meta({ description: 'By default the region of the place' }),
      location,
    }),
    attributes: z
      .record(z.string().regex(/^[a-zA-Z0-9._/-]{1,80}$/), z.string().max(200))
      .refine((attributes) => Object.keys(attributes).length <= 100, 'at most 100 attributes')
      .default({}),
  })
  .meta({ id: 'ProviderRequest' });

export const providerDto = z
  .object({
    providerId: z.string(),
    name: z.string(),
    place: z.object({ region: z.string(), country: z.string(), city: z.string(), location }),
    attributes: z.record(z.string(), z.string()),
    state: z.enum(['registered', 'active', 'unreachable', 'offline', 'suspended']),
    tier: z.int().min(1).max(7),
    chainProviderId: z.int().nullable(),
    stake: money,
    lastSeenAt: z.iso.datetime().nullable(),
    registeredAt: z.iso.datetime(),
  })
  .meta({ id: 'Provider' });

export const clusterBody = z
  .object({
    kubeconfig: z
      .string()
      .min(1)
      .max(262_144)
      .meta({ description: 'Sealed on arrival; kept by the orchestrator alone' }),
  })
  .meta({ id: 'ClusterRequest' });

export const suspendBody = z
  .object({ reason: z.string().trim().min(1).max(500) })
  .meta({ id: 'SuspendRequest' });

export const tierDto = z
  .object({
    tier: z.int().min(1).max(7),
    name: z.string(),
    uptimeAtLeast: z.number(),
    responseP95BelowMs: z.number(),
    erasToRise: z.int(),
    erasToFall: z.int(),
  })
  .meta({ id: 'Tier' });

export const toProviderDto = (
  provider: ProviderEntity,
  lastSeenAtMs: number | null,
): z.input<typeof providerDto> => ({
  providerId: provider.providerId,
  name: provider.name,
  place: provider.place,
  attributes: provider.attributes,
  state: statusOf(provider),
  tier: provider.tier,
  chainProviderId: provider.chainProviderId,
  stake: moneyDto(provider.stakeMicros),
  lastSeenAt: lastSeenAtMs === null ? null : rfc3339(lastSeenAtMs),
  registeredAt: rfc3339(provider.registeredAtMs),
});
