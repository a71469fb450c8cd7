import { scope } from '@gridbourse/api';
import { z } from 'zod';

export const accountDto = z
  .object({
    accountId: z.string(),
    wallet: z.string(),
    name: z.string(),
    scopes: z.array(z.string()).meta({ description: 'What the token or key of this request may do' }),
    openedAt: z.iso.datetime(),
  })
  .meta({ id: 'Account' });

const MAX_LIFETIME_SECONDS = 365 * 86_400;
const DEFAULT_LIFETIME_SECONDS = 90 * 86_400;

export const apiKeyBody = z
  .object({
    name: z.string().trim().min(1).max(120),
    scopes: z
      .array(scope)
      .min(1)
      .max(20)
      .optional()
      .meta({ description: 'By default all that the caller has, except accounts:write and operator' }),
    expiresInSeconds: z.int().min(60).max(MAX_LIFETIME_SECONDS).default(DEFAULT_LIFETIME_SECONDS),
  })
  .meta({ id: 'ApiKeyRequest' });

const apiKeyFields = {
  apiKeyId: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  expiresAt: z.iso.datetime().nullable(),
};

export const issuedApiKeyDto = z
  .object({
    ...apiKeyFields,
    key: z.string().meta({ description: 'Shown this once, and kept by nobody but you' }),
  })
  .meta({ id: 'IssuedApiKey' });

export const apiKeyDto = z
  .object({ ...apiKeyFields, issuedAt: z.iso.datetime(), revokedAt: z.iso.datetime().nullable() })
  .meta({ id: 'ApiKey' });
