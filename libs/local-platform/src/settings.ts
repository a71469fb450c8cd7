import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { StartError } from '@gridbourse/infra';

/** `dist/` and `src/` lie equally deep below the project's root. */
export const PROJECT_ROOT = fileURLToPath(new URL('../../..', import.meta.url));

const port = z.coerce.number().int().min(1).max(65_535);

const settingsSchema = z.object({
  /** Everything that must outlive a restart lies in here. */
  dataDir: z.string().optional(),
  /** REST, documents, health. */
  port: port.default(8080),
  grpcPort: port.default(8081),
  /** The chain's JSON-RPC, for wallets. */
  chainPort: port.default(8545),
  /** No local market: only the platform itself. */
  market: z.enum(['on', 'off']).default('on'),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

export type Settings = z.output<typeof settingsSchema> & { readonly dataDir: string };

/**
 * GRIDBOURSE_DATA_DIR, GRIDBOURSE_PORT, GRIDBOURSE_GRPC_PORT, GRIDBOURSE_CHAIN_PORT, GRIDBOURSE_MARKET, LOG_LEVEL.
 * @param dataFolder where the data lies, from the project's root, when the environment does not say
 * @throws StartError that names every setting that cannot be used
 */
export const readSettings = (environment: NodeJS.ProcessEnv, dataFolder = '.gridbourse'): Settings => {
  const parsed = settingsSchema.safeParse({
    dataDir: environment['GRIDBOURSE_DATA_DIR'],
    port: environment['GRIDBOURSE_PORT'],
    grpcPort: environment['GRIDBOURSE_GRPC_PORT'],
    chainPort: environment['GRIDBOURSE_CHAIN_PORT'],
    market: environment['GRIDBOURSE_MARKET'],
    logLevel: environment['LOG_LEVEL'],
  });
  if (parsed.success) {
    return { ...parsed.data, dataDir: resolve(parsed.data.dataDir ?? resolve(PROJECT_ROOT, dataFolder)) };
  }
  throw new StartError(
    `Some settings cannot be used: ${parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')}.`,
    'Correct the GRIDBOURSE_… environment variables and start again.',
  );
};
