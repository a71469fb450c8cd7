import type { Admin, Kafka } from 'kafkajs';
import { lagOf } from '../lag.ts';
import type { PartitionLag } from '../port.ts';
import type { Partition } from './owner-database.ts';

/** What Kafka answers for a partition of which the group has committed nothing. */
const NOTHING_COMMITTED = -1;
/** "The earliest there is": what kafkajs itself commits for a group whose next records Kafka has deleted. */
const RESET = -2;

/** From where a group goes on: an offset, or the first record there is, because nothing was committed or because of a reset. */
export type Start = number | 'nothing committed' | 'reset';

const startAt = (offset: string): Start => {
  if (Number(offset) === RESET) return 'reset';
  return Number(offset) === NOTHING_COMMITTED ? 'nothing committed' : Number(offset);
};

/** Asks Kafka from where groups go on, through one connection. */
export class GroupOffsets {
  private admin: Promise<Admin> | null = null;

  constructor(private readonly kafka: Kafka) {}

  /**
   * @returns of each partition from where the group goes on
   * @throws kafkajs's errors when Kafka is away
   */
  async committed(group: string, partitions: readonly Partition[]): Promise<Start[]> {
    if (partitions.length === 0) return [];
    const admin = await this.connected();
    const topics = [...new Set(partitions.map(({ topic }) => topic))];
    const answer = await admin.fetchOffsets({ groupId: group, topics });
    const offsets = new Map(
      answer.flatMap(({ topic, partitions: rows }) =>
        rows.map(({ partition, offset }) => [`${topic}/${partition}`, startAt(offset)]),
      ),
    );
    return partitions.map(
      ({ topic, partition }) => offsets.get(`${topic}/${partition}`) ?? 'nothing committed',
    );
  }

  /**
   * How far a group is behind. One without an offset of its own begins at the first record that is still there.
   * @throws kafkajs's errors when Kafka is away
   */
  async lag(group: string, topics: readonly string[]): Promise<PartitionLag[]> {
    if (topics.length === 0) return [];
    const admin = await this.connected();
    const committed = await admin.fetchOffsets({ groupId: group, topics: [...topics] });
    const all = await Promise.all(
      committed.map(async ({ topic, partitions }) => {
        const ends = new Map((await admin.fetchTopicOffsets(topic)).map((row) => [row.partition, row]));
        return partitions.map(({ partition, offset }) => {
          const end = ends.get(partition);
          const start = startAt(offset);
          const from = typeof start === 'number' ? start : Number(end?.low ?? 0);
          return lagOf(topic, partition, from, Number(end?.high ?? from));
        });
      }),
    );
    return all.flat().sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
  }

  /**
   * The first offset of a partition that Kafka still has.
   * @throws kafkajs's errors when Kafka is away
   */
  async earliest({ topic, partition }: Partition): Promise<number> {
    const admin = await this.connected();
    const rows = await admin.fetchTopicOffsets(topic);
    return Number(rows.find((row) => row.partition === partition)?.low ?? 0);
  }

  async close(): Promise<void> {
    const { admin } = this;
    this.admin = null;
    await admin?.then((connected) => connected.disconnect()).catch(() => undefined);
  }

  private connected(): Promise<Admin> {
    this.admin ??= this.connect().catch((error: unknown) => {
      this.admin = null;
      throw error;
    });
    return this.admin;
  }

  private async connect(): Promise<Admin> {
    const admin = this.kafka.admin();
    await admin.connect();
    return admin;
  }
}
