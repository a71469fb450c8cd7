import { z } from 'zod';

const milliseconds = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

/** Where the key-value store of a service is. */
export const keyValueConfig = z.discriminatedUnion('adapter', [
  z.object({
    /** In this process: for one process of each service; a restart forgets everything. */
    adapter: z.literal('memory'),
    /** Of each of the four kinds: budgets, tokens, telemetry, locks. */
    maxEntries: z.coerce.number().int().min(1_000).max(10_000_000).default(100_000),
  }),
  z.object({
    /** One Redis (7 or newer) or its like, with or without replicas; not a Redis Cluster. */
    adapter: z.literal('redis'),
    /** `rediss:` is TLS, checked with the machine's trusted certificates and those of `caFile`. */
    url: z
      .string()
      .regex(/^rediss?:\/\//, 'expected redis://user:password@host:port/database, or rediss://…'),
    username: z.string().min(1).optional(),
    /** Instead of the one in the url, which is easily shown by accident. */
    password: z.string().min(1).optional(),
    /** PEM file of the authority that signed the server's certificate. */
    caFile: z.string().min(1).optional(),
    /** Before every key: what shares a server differs in this. */
    prefix: z
      .string()
      .regex(/^[a-z0-9][a-z0-9:._-]{0,59}$/, 'expected lower case letters, digits and : . _ -')
      .default('gridbourse'),
    /** No call takes longer. */
    callTimeoutMs: milliseconds(10, 30_000).default(500),
    /** For a connection to be made; as long without a sign of life, and it counts as dead. */
    connectTimeoutMs: milliseconds(100, 60_000).default(2_000),
    /** Pause before the last of ever longer tries to connect. */
    maxReconnectPauseMs: milliseconds(10, 60_000).default(2_000),
    /** Calls that wait for an answer; more are refused at once. */
    maxPendingCalls: z.coerce.number().int().min(1).max(1_000_000).default(10_000),
  }),
]);

export type KeyValueConfig = z.output<typeof keyValueConfig>;
export type RedisConfig = Extract<KeyValueConfig, { adapter: 'redis' }>;
