import { createHash } from 'node:crypto';
import { fields } from '@gridbourse/events';
import { canonicalJson } from '@gridbourse/kernel';
import { z } from 'zod';

/** What the market process is started with; a file in its folder. */
export const marketSettings = z.object({
  dataDir: z.string().min(1),
  platformOrigin: z.url(),
  grpcTarget: z.string().min(1),
  rpcUrl: z.url(),
  deployment: z.object({
    chainId: z.int().min(1),
    deployBlock: z.int().min(0),
    contracts: z.object({
      ComputeMarket: fields.address,
      ProviderRegistry: fields.address,
      TestUSDC: fields.address,
    }),
  }),
  /** Keys of the catalogue's local market; all of them when absent. */
  providers: z.array(z.string()).optional(),
  /** Changes when the program was built anew: a process of the old build is replaced, not adopted. */
  build: z.string().default(''),
});
export type MarketSettings = z.output<typeof marketSettings>;

export const settingsDigest = (settings: MarketSettings): string =>
  createHash('sha256').update(canonicalJson(settings)).digest('hex');

/** What a running market process tells of itself, in `<dataDir>/market.json`. */
export const marketFile = z.object({
  pid: z.int().min(1),
  controlUrl: z.url(),
  token: z.string().min(1),
  /** Digest of the settings it runs with. */
  settings: z.string(),
});
export type MarketFile = z.output<typeof marketFile>;

export const MARKET_FILE = 'market.json';
export const MARKET_FOLDER = 'market';

/** One line of `GET /providers`. */
export const providerView = z.object({
  name: z.string(),
  key: z.string(),
  providerId: z.string().nullable(),
  clusterUrl: z.string(),
  /** False between kill and revive. */
  up: z.boolean(),
  /** Its agent's heartbeats go to the platform. */
  connected: z.boolean(),
  trouble: z.string().nullable(),
});
export type ProviderView = z.output<typeof providerView>;
