import { z } from 'zod';

const budget = (quota: number) =>
  z
    .object({
      /** Requests that may come at once, and again in every window. */
      quota: z.coerce.number().int().min(1).max(1_000_000_000).default(quota),
      windowSeconds: z.coerce.number().int().min(1).max(86_400).default(60),
    })
    .prefault({});

/** What one caller may ask of one service. Far above what a person or a well-behaved program needs. */
export const rateLimitsConfig = z
  .object({
    reads: budget(12_000),
    writes: budget(3_000),
    /** For each address: callers of these routes have not proven who they are. */
    signIn: budget(1_200),
  })
  .prefault({});

export type RateLimits = z.output<typeof rateLimitsConfig>;
