import { baseConfig } from '@gridbourse/api';
import { z } from 'zod';

const address = z.string().regex(/^0x[0-9a-f]{40}$/, 'expected a lower-case address');
const milliseconds = (standard: number, least = 0) =>
  z.coerce.number().int().min(least).max(86_400_000).default(standard);

export const chainIndexerConfig = baseConfig.extend({
  rpcUrl: z.url(),
  deployment: z.object({
    chainId: z.number().int().min(1),
    deployBlock: z.number().int().min(1),
    contracts: z.object({
      ComputeMarket: address,
      ProviderRegistry: address,
      TestUSDC: address,
      LivenessRewards: address.exactOptional(),
      UpgradeTimelock: address.exactOptional(),
    }),
  }),
  /** How often the node is asked for its newest block. */
  pollMs: milliseconds(250, 10),
  rpcTimeoutMs: milliseconds(10_000, 100),
  /** Most blocks in one request for logs; less where the node cannot. */
  maxRange: z.coerce.number().int().min(1).max(10_000).default(500),
  /** A block counts as final only when we have seen it for so long, whatever the node says. */
  minFinalityAgeMs: milliseconds(5_000),
  /** So long a node may show fewer blocks than before (it lags) until they count as lost. */
  lagGraceMs: milliseconds(2_000),
  /** So long the chain may look wrong (another chain, a reorganisation below finality) until ChainHalted is told. */
  haltGraceMs: milliseconds(3_000),
});

export type ChainIndexerConfig = z.output<typeof chainIndexerConfig>;
