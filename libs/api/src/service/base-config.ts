import { DomainError } from '@gridbourse/kernel';
import { keyValueConfig } from '@gridbourse/key-value';
import { z } from 'zod';
import { rateLimitsConfig } from '../limits/rate-limits.config.ts';
import { busConfig, postgresUrl } from './bus-config.ts';

/** What every service needs to know; each extends it with its own. */
export const baseConfig = z.object({
  databaseUrl: postgresUrl,
  bus: busConfig,
  /** Where rate limits, nonces and hot telemetry are kept. */
  keyValue: keyValueConfig.prefault({ adapter: 'memory' }),
  rateLimits: rateLimitsConfig,
  /** Addresses or networks whose X-Forwarded-For is believed; without any, a caller is who connects. */
  trustedProxies: z.array(z.string().min(1)).default([]),
  host: z.string().default('127.0.0.1'),
  /** 0: no listener of its own; requests are handed over in process. */
  httpPort: z.coerce.number().int().min(0).max(65_535).default(0),
  /** 0: no gRPC listener. */
  grpcPort: z.coerce.number().int().min(0).max(65_535).default(0),
  /** The registry's public keys, for checking access tokens. */
  jwksUrl: z.url(),
  /** Where users reach the platform: in documents, sign-in messages, links. */
  publicOrigin: z.url(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  bodyLimitBytes: z.coerce.number().int().min(1_024).max(16_777_216).default(1_048_576),
  databasePool: z.coerce.number().int().min(4).max(100).default(16),
});
export type BaseConfig = z.output<typeof baseConfig>;

/** @throws DomainError `invalid_config` that lists every problem at once. */
export const parseConfig = <C>(service: string, schema: z.ZodType<C>, input: unknown): C => {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => ({
    pointer: `/${issue.path.join('/')}`,
    message: issue.message,
  }));
  throw new DomainError(
    'invalid',
    'invalid_config',
    `the configuration of ${service} has ${faults.length} problem(s):\n${faults
      .map((fault) => `  ${fault.pointer}: ${fault.message}`)
      .join('\n')}`,
    { faults },
  );
};

/**
 * Configuration from the environment: `GRIDBOURSE_<SERVICE>_CONFIG` names a JSON file, and each
 * `GRIDBOURSE_<SERVICE>_<FIELD>` (field in upper snake case) overrides one field of it.
 */
export const environmentInput = (
  service: string,
  environment: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
): Record<string, unknown> => {
  const prefix = `GRIDBOURSE_${service.replace(/-/g, '_').toUpperCase()}_`;
  const file = environment[`${prefix}CONFIG`];
  const input = file === undefined ? {} : (JSON.parse(readFile(file)) as Record<string, unknown>);
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(prefix) || name === `${prefix}CONFIG` || value === undefined) continue;
    const field = name
      .slice(prefix.length)
      .toLowerCase()
      .replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    input[field] = /^[[{]/.test(value) ? (JSON.parse(value) as unknown) : value;
  }
  return input;
};
