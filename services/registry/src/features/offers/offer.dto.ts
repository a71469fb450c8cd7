import { money, moneyDto, moneyDtoOrNull } from '@gridbourse/api';
import { findGpu, listPriceMicrosPerGpuHour, priceOfUnit } from '@gridbourse/catalog';
import { gpuSharing, interconnect, type OfferGpu } from '@gridbourse/events';
import type { Micros } from '@gridbourse/kernel';
import { z } from 'zod';
import { statusOf } from '../../domain/provider-state.ts';
import type { OfferEntity } from '../../read-models/offer.entity.ts';
import { idOf } from '../id-param.ts';

const usdcPerHour = z
  .string()
  .regex(/^\d{1,9}(\.\d{1,6})?$/, 'expected decimal USDC with at most six decimals, like 1.25')
  .meta({ description: 'Decimal USDC per hour', example: '1.25' });

const amount = (most: number) => z.int().min(0).max(most);
const TEN_YEARS_SECONDS = 315_360_000;

export const offerBody = z
  .object({
    offerId: idOf('offer').optional().meta({ description: 'Replaces this offer of the provider' }),
    label: z
      .string()
      .regex(/^[A-Za-z0-9._-]{0,60}$/)
      .default('')
      .meta({
        description: 'Tells apart offers of one GPU model; the same label again replaces the same offer',
      }),
    gpu: z
      .object({
        model: z
          .string()
          .min(1)
          .max(120)
          .meta({ description: 'A catalogue id or any name the catalogue knows' }),
        vramMiB: z.int().min(1).max(1_048_576),
        interface: z.enum(['pcie', 'sxm']),
        sharing: gpuSharing.default({ mode: 'whole' }),
      })
      .nullable(),
    nodes: z
      .array(
        z.object({
          name: z.string().min(1).max(253),
          gpus: amount(1_024),
          cpuMillis: amount(10_000_000),
          memoryMiB: amount(134_217_728),
          storageMiB: amount(2_147_483_648),
        }),
      )
      .min(1)
      .max(4_000)
      .meta({
        description:
          'A machine is in one offer of its provider: naming it here takes it out of the one that named it before',
      }),
    price: z.object({
      perGpuUsdcPerHour: usdcPerHour,
      perCpuCoreUsdcPerHour: usdcPerHour,
      perMemoryGiBUsdcPerHour: usdcPerHour,
      perStorageGiBUsdcPerHour: usdcPerHour,
    }),
    policy: z.object({
      autoAccept: z.boolean(),
      minDurationSeconds: amount(TEN_YEARS_SECONDS).default(0),
      maxDurationSeconds: z.int().min(1).max(TEN_YEARS_SECONDS),
    }),
    storageClasses: z.array(z.string().min(1).max(63)).max(20).default([]),
    interconnect: interconnect.default('ethernet'),
  })
  .meta({ id: 'OfferRequest' });

export const offerDto = z
  .object({
    offerId: z.string(),
    providerId: z.string(),
    providerName: z.string(),
    revision: z.int(),
    gpu: z
      .object({
        model: z.string(),
        vramMiB: z.int(),
        interface: z.enum(['pcie', 'sxm']),
        sharing: gpuSharing,
      })
      .nullable(),
    nodes: z.int().meta({ description: 'Machines' }),
    gpusTotal: z
      .int()
      .meta({ description: 'GPUs that work now, over all machines, in the units that are sold' }),
    price: z.object({ perGpu: money, perCpuCore: money, perMemoryGiB: money, perStorageGiB: money }),
    listPricePerGpuHour: money.nullable().meta({
      description: 'What the large clouds ask for the share of a GPU that is sold, where it is known',
    }),
    saving: z.number().nullable().meta({ description: 'Share saved against the list price, at most 1' }),
    region: z.string(),
    interconnect,
    policy: z.object({ autoAccept: z.boolean(), minDurationSeconds: z.int(), maxDurationSeconds: z.int() }),
    state: z
      .enum(['available', 'unavailable', 'withdrawn'])
      .meta({ description: 'available: its provider is active, so it is matched' }),
  })
  .meta({ id: 'Offer' });

/** Share saved, cut to hundredths of a per cent; negative where the offer is dearer. Null without a list price. */
export const savingOf = (price: Micros, list: Micros | null): number | null =>
  list === null || list === 0n ? null : Number(((list - price) * 10_000n) / list) / 10_000;

/** The list price of what is sold: of a slice or a slot its share of the compute, cut to whole micros. */
const listPriceOfUnit = (gpu: OfferGpu | null): Micros | null => {
  const model = gpu && findGpu(gpu.model);
  const list = model ? listPriceMicrosPerGpuHour(model) : null;
  return gpu === null || list === null ? null : priceOfUnit(list, gpu, gpu.sharing);
};

export const toOfferDto = (offer: OfferEntity): z.input<typeof offerDto> => {
  const list = listPriceOfUnit(offer.gpu);
  const active = statusOf(offer.provider) === 'active';
  return {
    offerId: offer.offerId,
    providerId: offer.providerId,
    providerName: offer.provider.name,
    revision: offer.revision,
    gpu: offer.gpu,
    nodes: offer.nodeCount,
    gpusTotal: offer.gpusTotal,
    price: {
      perGpu: moneyDto(offer.perGpuMicros),
      perCpuCore: moneyDto(offer.perCpuCoreMicros),
      perMemoryGiB: moneyDto(offer.perMemoryGiBMicros),
      perStorageGiB: moneyDto(offer.perStorageGiBMicros),
    },
    listPricePerGpuHour: moneyDtoOrNull(list),
    saving: savingOf(offer.perGpuMicros, list),
    region: offer.provider.region,
    interconnect: offer.interconnect,
    policy: offer.policy,
    state: offer.withdrawn ? 'withdrawn' : active ? 'available' : 'unavailable',
  };
};
