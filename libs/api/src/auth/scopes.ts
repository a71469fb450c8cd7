import { z } from 'zod';

/** What a token or key may do. `operator` is for accounts that run the platform; every other scope a user may have. */
export const SCOPES = [
  'orders:read',
  'orders:write',
  'leases:read',
  'leases:write',
  'escrow:read',
  'providers:write',
  'accounts:write',
  'operator',
] as const;

export const scope = z.enum(SCOPES);
export type Scope = z.output<typeof scope>;

/** Every account's own tokens carry these: a tenant may become a provider without asking anybody. */
export const USER_SCOPES: readonly Scope[] = SCOPES.filter((name) => name !== 'operator');
