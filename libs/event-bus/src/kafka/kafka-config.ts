import { z } from 'zod';

const pem = z.string().regex(/-----BEGIN /, 'PEM text is expected');

const ssl = z.union([
  z.boolean(),
  z.object({
    /** PEM: who signed the broker's certificate; by default the authorities that Node knows. */
    ca: pem.optional(),
    /** PEM: our certificate and its key, where the broker asks clients for one. */
    cert: pem.optional(),
    key: pem.optional(),
    passphrase: z.string().optional(),
    /** The name that the broker's certificate must bear, where it is not the host of its address. */
    servername: z.string().optional(),
    rejectUnauthorized: z.boolean().default(true),
  }),
]);

const sasl = z.object({
  mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
  username: z.string().min(1),
  password: z.string().min(1),
});

const milliseconds = (fallback: number, least = 1): z.ZodDefault<z.ZodInt> =>
  z.int().min(least).max(86_400_000).default(fallback);

/** How to reach Kafka and what is asked of it. Times are in milliseconds. */
export const kafkaConfig = z
  .object({
    /** `host:port`, any of the cluster; a text names several with commas. */
    brokers: z
      .union([
        z.array(z.string()),
        z.string().transform((text) => text.split(',').map((part) => part.trim())),
      ])
      .pipe(
        z.array(z.string().regex(/^[^\s:]+:\d{1,5}$|^\[[^\s\]]+\]:\d{1,5}$/, 'host:port is expected')).min(1),
      ),
    clientId: z.string().min(1).max(200).default('gridbourse'),
    ssl: ssl.default(false),
    sasl: sasl.optional(),
    /** Of topics that do not exist yet. It must not change after that: keys would move and lose their order. */
    partitions: z.int().min(1).max(1_000).default(8),
    /** Of topics that do not exist yet: copies of each partition. */
    replicationFactor: z.int().min(1).max(10).default(1),
    /** Copies that must have a record before it counts as published. */
    minInSyncReplicas: z.int().min(1).max(10).default(1),
    /** How long Kafka keeps records; -1 is for ever, because read models are rebuilt from them. */
    retentionMs: z.union([z.literal(-1), z.int().min(60_000)]).default(-1),
    /** A member that has been silent for so long is dead: the time to take over from it. */
    sessionTimeoutMs: milliseconds(10_000, 1_000),
    heartbeatMs: milliseconds(1_000),
    /**
     * How long a member may take to come to a rebalance. One that dies on its way holds up the others for so long; ours
     * come within 0.6 of a session.
     */
    rebalanceTimeoutMs: milliseconds(15_000, 1_000),
    connectionTimeoutMs: milliseconds(3_000),
    /** A connection whose answer is late by this is given up: how soon a network that swallows packets is noticed. */
    requestTimeoutMs: milliseconds(15_000),
    /** How long a publication is tried before it is refused as `unavailable`. */
    publishDeadlineMs: milliseconds(30_000),
    /** How long a fetch waits for something new, which is also how long a stop or a rebalance may wait. */
    fetchWaitMs: milliseconds(250),
    /** Bytes that one fetch takes from one partition; a larger record comes alone. */
    fetchBytesPerPartition: z
      .int()
      .min(1_024)
      .default(1_024 * 1_024),
  })
  .refine((config) => config.heartbeatMs * 2 < config.sessionTimeoutMs, {
    path: ['heartbeatMs'],
    message: 'must be less than half of sessionTimeoutMs: one lost heartbeat is no death',
  })
  .refine((config) => config.minInSyncReplicas <= config.replicationFactor, {
    path: ['minInSyncReplicas'],
    message: 'must not be more than replicationFactor: nothing could be published',
  });

export type KafkaConfig = z.output<typeof kafkaConfig>;
export type KafkaConfigInput = z.input<typeof kafkaConfig>;
