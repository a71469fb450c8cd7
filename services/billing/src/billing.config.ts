import { baseConfig } from '@gridbourse/api';
import { z } from 'zod';

const address = z.string().regex(/^0x[0-9a-f]{40}$/, 'expected a lower-case address');
const privateKey = z.string().regex(/^0x[0-9a-fA-F]{64}$/, 'expected a private key of 32 bytes');
const everyMs = (standard: number) => z.coerce.number().int().min(20).max(86_400_000).default(standard);

/** Connections beside those of the signers: the outbox relay, tasks that hold a lock, and handlers of events. */
const OTHER_CONNECTIONS = 6;

const fields = baseConfig.extend({
  /** Where the relayer sends transactions and reads the contract. */
  rpcUrl: z.url(),
  /** The same chain as users reach it, shown to them for their deposits. */
  publicRpcUrl: z.url(),
  deployment: z.object({
    chainId: z.number().int().min(1),
    deployBlock: z.number().int().min(0),
    contracts: z.object({ ComputeMarket: address, ProviderRegistry: address, TestUSDC: address }),
  }),
  /** Keys with the contract's operator role. Leases are spread over them; each sends one transaction after the other. */
  operatorKeys: z.array(privateKey).min(1).max(32),
  /** How often earned amounts are settled on chain. On a public chain minutes: each batch costs gas. */
  settleEveryMs: everyMs(600_000),
  /** Rows in one batch. */
  settleBatchSize: z.coerce.number().int().min(1).max(256).default(256),
  /** How often failed closings are looked at for another attempt. */
  retryEveryMs: everyMs(1_000),
  /** How often alarms of running leases are looked at: the precision of zero-time. */
  zeroTimeEveryMs: everyMs(250),
  reconcileEveryMs: everyMs(60_000),
  /** A difference that lasts longer than this is a break and not something under way. */
  breakGraceMs: z.coerce.number().int().min(0).default(30_000),
  /** A step that the chain owes us for longer than this is a timing break. */
  overdueAfterMs: z.coerce.number().int().min(1_000).default(900_000),
});

export const billingConfig = fields.refine(
  (config) => config.databasePool >= config.operatorKeys.length + OTHER_CONNECTIONS,
  {
    path: ['databasePool'],
    message: `expected one connection for each operator key and ${OTHER_CONNECTIONS} more`,
  },
);

export type BillingConfig = z.output<typeof billingConfig>;
