import { readFileSync } from 'node:fs';
import { readSharingText } from '@gridbourse/catalog';
import { fields, interconnect } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import { z } from 'zod';

const decimalUsdc = z.string().regex(/^\d{1,9}(\.\d{1,6})?$/, 'expected decimal USDC like 1.25');
const milliseconds = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** What is asked for the machines that a rule takes; the first rule that matches a machine takes it. */
export const priceRule = z.object({
  /** Tells apart offers of one GPU model. */
  label: z.string().regex(/^[A-Za-z0-9._-]{1,60}$/),
  match: z
    .object({
      nodes: z.array(z.string()).optional(),
      labels: z.record(z.string(), z.string()).optional(),
      /** Any name the catalogue knows; null for machines without GPUs. */
      gpu: z.string().nullable().optional(),
      /** What is sold of the GPUs and priced as one: `whole` (when absent), `mig`, `mig:1g.10gb`, `shared`, `shared:4`. */
      sharing: z
        .string()
        .refine((text) => text === 'mig' || text === 'shared' || readSharingText(text) !== null, {
          error: 'expected whole, mig, mig:1g.10gb, shared or shared:4',
        })
        .optional(),
    })
    .default({}),
  /** Where the name of the GPU does not tell it. */
  gpuInterface: z.enum(['pcie', 'sxm']).optional(),
  price: z.object({
    perGpuUsdcPerHour: decimalUsdc,
    perCpuCoreUsdcPerHour: decimalUsdc,
    perMemoryGiBUsdcPerHour: decimalUsdc,
    perStorageGiBUsdcPerHour: decimalUsdc,
  }),
  policy: z.object({
    autoAccept: z.boolean(),
    minDurationSeconds: z.int().min(0),
    maxDurationSeconds: z.int().min(1),
  }),
  storageClasses: z.array(z.string().max(63)).default([]),
  /** The network between the machines. */
  interconnect: interconnect.default('ethernet'),
});

export const agentConfig = z.object({
  /** Where users reach the platform, such as `https://gridbourse.example`. */
  platformOrigin: z.url(),
  grpcTarget: z.string().min(1),
  /** Plain text gRPC: for a platform on this very machine. */
  grpcPlaintext: z.stringbool().or(z.boolean()).default(false),
  /** The provider's wallet: it signs in, stakes, and signs every heartbeat. */
  walletKey: z.string().regex(/^0x[0-9a-fA-F]{64}$/, 'expected a private key, 0x and 64 hexadecimal digits'),
  provider: z.object({
    name: z.string().trim().min(1).max(120),
    place: z.object({
      country: z.string().max(60),
      city: z.string().max(80).default(''),
      region: z.string().max(40).optional(),
      location: fields.geoPoint,
    }),
    attributes: z.record(z.string(), z.string()).default({}),
  }),
  /** How the agent itself reaches the cluster. */
  kubeconfig: z.string().min(1),
  /** How the platform reaches it, where that differs. */
  platformKubeconfig: z.string().min(1).optional(),
  chain: z.object({
    rpcUrl: z.url(),
    chainId: z.int().min(1),
    providerRegistry: fields.address,
    token: fields.address,
    /** The stake is topped up to this, micro-USDC. */
    stakeMicros: z.coerce.bigint().min(1n),
    /** Mints the stake where the token lets anyone do so: for local chains. */
    mintStake: z.stringbool().or(z.boolean()).default(false),
  }),
  prices: z.array(priceRule).min(1),
  /** In auctions the agent bids its list prices less so many per cent; without it they stand as they are. */
  bidding: z.object({ discountPercent: z.int().min(1).max(90) }).optional(),
  /** What is remembered between runs, so that a restart need not register anew. */
  stateFile: z.string().optional(),
  inventoryEveryMs: milliseconds(100, 600_000).default(5_000),
  /** A cluster that has not answered for so long is reported as not ready. */
  inventoryStaleMs: milliseconds(100, 3_600_000).default(15_000),
  maxBackoffMs: milliseconds(100, 600_000).default(30_000),
});

export type PriceRule = z.output<typeof priceRule>;
export type AgentConfig = z.output<typeof agentConfig>;

const text = (environment: NodeJS.ProcessEnv, name: string): string | undefined =>
  environment[name] || undefined;

/** Fields that are secrets or differ by deployment may come from the environment instead of the file. */
const fromEnvironment = (environment: NodeJS.ProcessEnv): Record<string, unknown> => {
  const file = (name: string): string | undefined => {
    const path = text(environment, name);
    return path === undefined ? undefined : readFileSync(path, 'utf8').trim();
  };
  const given: Record<string, unknown> = {
    platformOrigin: text(environment, 'PLATFORM_ORIGIN'),
    grpcTarget: text(environment, 'GRPC_TARGET'),
    grpcPlaintext: text(environment, 'GRPC_PLAINTEXT'),
    walletKey: text(environment, 'WALLET_KEY') ?? file('WALLET_KEY_FILE'),
    kubeconfig: file('KUBECONFIG'),
    platformKubeconfig: file('PLATFORM_KUBECONFIG'),
    stateFile: text(environment, 'STATE_FILE'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
};

/**
 * Reads the JSON file named by PROVIDER_AGENT_CONFIG, overridden by PLATFORM_ORIGIN, GRPC_TARGET, GRPC_PLAINTEXT,
 * WALLET_KEY or WALLET_KEY_FILE, KUBECONFIG and PLATFORM_KUBECONFIG (paths), STATE_FILE.
 * @throws DomainError `invalid_config` with every problem
 */
export const readAgentConfig = (environment: NodeJS.ProcessEnv): AgentConfig => {
  const path = text(environment, 'PROVIDER_AGENT_CONFIG');
  const given = path === undefined ? {} : (JSON.parse(readFileSync(path, 'utf8')) as object);
  const parsed = agentConfig.safeParse({ ...given, ...fromEnvironment(environment) });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => ({
    pointer: `/${issue.path.join('/')}`,
    message: issue.message,
  }));
  const list = faults.map(({ pointer, message }) => `${pointer}: ${message}`).join('; ');
  throw new DomainError('invalid', 'invalid_config', `the configuration cannot be used: ${list}`, { faults });
};
