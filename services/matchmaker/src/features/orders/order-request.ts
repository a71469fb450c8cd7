import { workloadClass } from '@gridbourse/events';
import { ID_PREFIXES, idPattern } from '@gridbourse/kernel';
import { z } from 'zod';

const providerId = z
  .string()
  .regex(idPattern('provider'), `expected a provider's id, ${ID_PREFIXES.provider}_…`);

const weight = z.number().min(0).max(1).default(0);

/** How much each term of the score counts against the others; a term that is not named counts nothing. */
const weights = z
  .strictObject({ cost: weight, geography: weight, performance: weight, reliability: weight, fit: weight })
  .refine((each) => Object.values(each).some((one) => one > 0), 'at least one weight must be above 0')
  .meta({ id: 'Weights' });

/** What an order and a quote are asked for with, over REST and gRPC alike. */
export const manifestRequest = z
  .strictObject({
    /** The text of the manifest (YAML). */
    manifest: z.string().min(1).max(1_000_000),
    run: z.enum(['service', 'job']).optional(),
    durationSeconds: z.int().min(1).optional(),
    /** For everything together; replaces the prices of the manifest. */
    maxRateUsdcPerHour: z
      .string()
      .regex(/^\d{1,9}(\.\d{1,6})?$/, 'expected decimal USDC per hour with at most six decimals, like 1.25')
      .optional(),
    profile: z.enum(['cheapest', 'balanced', 'fastest', 'nearest']).default('balanced'),
    /** In place of the profile's. */
    weights: weights.optional(),
    /** The kind of work by which the throughput of GPUs is compared; `general` unless said. */
    workloadClass: workloadClass.optional(),
    regions: z.array(z.string().min(1).max(40)).max(50).optional(),
    tierFloor: z.int().min(1).max(7).optional(),
    /** Each group may be divided among up to so many providers of one region. */
    maxProviders: z.int().min(1).max(16).optional(),
    near: z
      .strictObject({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) })
      .optional(),
    includeProviders: z.array(providerId).max(100).default([]),
    excludeProviders: z.array(providerId).max(100).default([]),
  })
  .meta({ id: 'ManifestRequest' });
export type ManifestRequest = z.output<typeof manifestRequest>;

export const orderRequest = manifestRequest
  .extend({
    /** How long the order may wait in the book. */
    waitSeconds: z.int().min(1).optional(),
    /** `instant` (default): matched at once. `auction`: takes sealed bids first, then the best of them. */
    mode: z.enum(['instant', 'auction']).optional(),
    /** How long an auction takes bids. */
    windowSeconds: z.int().min(1).optional(),
  })
  .meta({ id: 'OrderRequest' });
export type OrderRequest = z.output<typeof orderRequest>;
