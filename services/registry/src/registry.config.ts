import { baseConfig } from '@gridbourse/api';
import { fields } from '@gridbourse/events';
import { z } from 'zod';
import { DEFAULT_TIERS, type Tier } from './domain/tiers.ts';

const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const share = z.coerce.number().min(0).max(1);
const DAY_MS = 86_400_000;

const tierRule = z.object({
  tier: whole(1, 6).transform((tier) => tier as Tier),
  name: z.string().min(1).max(60),
  uptimeAtLeast: share,
  responseP95BelowMs: z.coerce.number().positive(),
  erasToRise: whole(1, 10_000),
  erasToFall: whole(1, 10_000),
});

export const registryConfig = baseConfig.extend({
  /** EIP-155 id of the chain that sign-in messages are bound to. */
  chainId: whole(1, Number.MAX_SAFE_INTEGER),
  /** A node of that chain, for the signatures of contract wallets (ERC-1271). Without it only plain wallets sign in. */
  rpcUrl: z.url().optional(),
  /** Wallets (lower case) whose accounts may operate the platform. */
  operatorWallets: z.array(fields.address).default([]),

  /** Private ES256 key as JWK, for tokens. Without it one is made at the first start and kept in the database … */
  signingKey: z.record(z.string(), z.unknown()).optional(),
  /** … encrypted with this, where it is given. */
  signingKeySecret: z.string().min(32).optional(),
  accessTokenSeconds: whole(30, 900).default(900),
  refreshTokenSeconds: whole(60, 7_776_000).default(2_592_000),
  nonceTtlMs: whole(1_000, 600_000).default(300_000),
  /** Nonces that are given out at once, and again in every such time: at most twice as many wait to be used. */
  maxOpenNonces: whole(10, 10_000_000).default(100_000),

  /** To which kubeconfigs are sealed: only the orchestrator reads them. */
  orchestratorSealingPublicKey: z.object({ keyId: z.string().min(1), publicKey: z.string().min(1) }),
  /** Stake on chain from which on a provider is matched, micro-USDC. */
  minStakeMicros: z.coerce.bigint().min(0n).default(100_000_000n),

  heartbeatIntervalMs: whole(50, 600_000).default(10_000),
  missedHeartbeats: whole(1, 100).default(3),
  offlineGraceMs: whole(0, DAY_MS).default(600_000),
  massDarknessShare: share.default(0.3),
  massDarknessCount: whole(0, 1_000_000).default(3),
  /** How often silence is judged and due challenges are sent. */
  watchEveryMs: whole(10, 60_000).default(250),
  /** How often sightings and challenge results are written down. */
  rollupEveryMs: whole(10, 60_000).default(5_000),
  maxAgentStreams: whole(1, 100_000).default(20_000),
  /** For so long after an agent connected or a machine came up, zero GPUs mean "not known yet". */
  gpuSettleMs: whole(0, 3_600_000).default(300_000),

  challengeMeanIntervalMs: whole(50, DAY_MS).default(60_000),
  challengeTimeoutMs: whole(50, 60_000).default(5_000),
  /** Share of GPU challenges for providers with GPUs; the rest are CPU challenges. */
  gpuChallengeShare: share.default(0.8),
  eraMs: whole(1_000, 30 * DAY_MS).default(DAY_MS),
  /** How often is looked for eras that can be closed. */
  closeErasEveryMs: whole(10, 3_600_000).default(10_000),
  /** Results of challenges are kept so many eras after their own was closed. */
  keepClosedEras: whole(0, 1_000).default(30),
  /** Tiers 1 to 6, best first; tier 7 is for whoever deserves none of them. */
  tiers: z
    .array(tierRule)
    .length(6)
    .default([...DEFAULT_TIERS]),
});

export type RegistryConfig = z.output<typeof registryConfig>;
