import type { Kafka } from 'kafkajs';
import { checkedTopic } from '../delivery/checked-record.ts';
import type { KafkaConfig } from './kafka-config.ts';

/** A batch of messages carries headers and keys besides the values, and Kafka's limit is on the batch. */
const ROOM_FOR_HEADERS_BYTES = 1_024 * 1_024;

export const deadLetterTopicOf = (topic: string): string => `${topic}.dlq`;

/**
 * Makes topics where they are missing. One that exists is left as it is: neither its partitions nor its settings are
 * touched, because both belong to whoever runs the cluster.
 */
export class Topics {
  private readonly known = new Set<string>();

  constructor(
    private readonly kafka: Kafka,
    private readonly config: KafkaConfig,
    private readonly maxRecordBytes: number,
  ) {}

  /** @throws DomainError `invalid_record`, and kafkajs's errors when Kafka is away */
  async ensure(topics: readonly string[]): Promise<void> {
    const missing = [...new Set(topics)].filter((topic) => !this.known.has(topic));
    if (missing.length === 0) return;
    for (const topic of missing) checkedTopic(topic);
    const { partitions, replicationFactor, minInSyncReplicas, retentionMs } = this.config;
    const admin = this.kafka.admin();
    try {
      await admin.connect();
      const existing = new Set(await admin.listTopics());
      const settings = {
        'retention.ms': String(retentionMs),
        'retention.bytes': '-1',
        'cleanup.policy': 'delete',
        'max.message.bytes': String(this.maxRecordBytes + ROOM_FOR_HEADERS_BYTES),
        'min.insync.replicas': String(minInSyncReplicas),
      };
      const absent = missing.filter((topic) => !existing.has(topic));
      if (absent.length > 0) {
        await admin.createTopics({
          waitForLeaders: true,
          topics: absent.map((topic) => ({
            topic,
            numPartitions: partitions,
            replicationFactor,
            configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
          })),
        });
      }
      for (const topic of missing) this.known.add(topic);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}
