import type { Kafka } from 'kafkajs';
import { lagOf } from '../lag.ts';
import type { PartitionLag } from '../port.ts';

/** A group that has committed nothing begins at the first record that is still there. */
const NOTHING_COMMITTED = -1;

/** @throws kafkajs's errors when Kafka is away */
export const groupLag = async (
  kafka: Kafka,
  group: string,
  topics: readonly string[],
): Promise<PartitionLag[]> => {
  if (topics.length === 0) return [];
  const admin = kafka.admin();
  await admin.connect();
  try {
    const committed = await admin.fetchOffsets({ groupId: group, topics: [...topics] });
    const all = await Promise.all(
      committed.map(async ({ topic, partitions }) => {
        const ends = new Map((await admin.fetchTopicOffsets(topic)).map((row) => [row.partition, row]));
        return partitions.map(({ partition, offset }) => {
          const end = ends.get(partition);
          const from = Number(offset) === NOTHING_COMMITTED ? Number(end?.low ?? 0) : Number(offset);
          return lagOf(topic, partition, from, Number(end?.high ?? from));
        });
      }),
    );
    return all.flat().sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
};
