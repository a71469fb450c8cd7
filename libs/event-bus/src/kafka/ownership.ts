import type { Logger } from '@gridbourse/observability';
import { PartitionWorker, type WorkerOptions } from '../delivery/partition-worker.ts';
import { pause } from '../retry.ts';
import type { GroupOffsets, Start } from './group-offsets.ts';
import { KafkaLetters } from './letters.ts';
import { OwnedPartition } from './owned-partition.ts';
import type { OwnerDatabase, Partition } from './owner-database.ts';
import type { Publisher } from './publisher.ts';
import type { TopicPartitions } from './sticky-assigner.ts';

export type OwnershipParts = {
  readonly database: OwnerDatabase;
  readonly offsets: Pick<GroupOffsets, 'committed' | 'earliest'>;
  readonly publisher: Publisher;
  readonly logger: Logger;
};

/** What workers of all partitions have in common. */
export type WorkerCommons = Omit<
  WorkerOptions,
  keyof Partition | 'firstOffset' | 'letters' | 'parkedKeys' | 'onProgress'
>;

/** The partitions that one member of a group has, each with its worker. */
export class Ownership {
  private readonly owned = new Map<string, OwnedPartition>();

  constructor(
    private readonly parts: OwnershipParts,
    private readonly commons: WorkerCommons,
    /** How long handlers in hand are waited for when partitions are given up. */
    private readonly graceMs: number,
    private readonly onProgress: (owned: OwnedPartition) => void,
  ) {}

  get all(): OwnedPartition[] {
    return [...this.owned.values()];
  }

  get byTopic(): TopicPartitions {
    const owned: TopicPartitions = {};
    for (const { topic, partition } of this.owned.values()) (owned[topic] ??= []).push(partition);
    return owned;
  }

  get(partition: Partition): OwnedPartition | undefined {
    return this.owned.get(nameOf(partition));
  }

  /** Gives up what is not wanted. Handlers in hand may go on: what they do is settled in the database of the service or not. */
  keepOnly(wanted: readonly Partition[]): void {
    const names = new Set(wanted.map(nameOf));
    for (const owned of this.all) if (!names.has(nameOf(owned))) void this.forget(owned);
  }

  /**
   * Begins what is wanted and not owned, or was another's since. No handler runs until it is released.
   * @param isCurrent whether it is still wanted: asked before anything is begun
   * @throws what Kafka or the database answers while they are away; then it is to be called again
   */
  async takeOver(wanted: readonly Partition[], isCurrent: () => boolean): Promise<void> {
    const { database, offsets } = this.parts;
    const epochs = new Map(
      (await database.epochs(this.group, wanted)).map((row) => [nameOf(row), row.epoch]),
    );
    const fresh = wanted.filter((partition) => {
      const owned = this.get(partition);
      return !owned || owned.epoch !== epochs.get(nameOf(partition));
    });
    await this.abandon(fresh.flatMap((partition) => this.get(partition) ?? []));
    const claimed = await database.claim(this.group, fresh);
    const starts = await offsets.committed(this.group, claimed);
    const begun = await Promise.all(
      claimed.map(({ epoch, ...partition }, at) => this.begin(partition, epoch, starts[at]!)),
    );
    if (isCurrent()) for (const owned of begun) this.owned.set(nameOf(owned), owned);
  }

  abandonAll(): Promise<void> {
    return this.abandon(this.all);
  }

  private get group(): string {
    return this.commons.subscription.group;
  }

  private async begin({ topic, partition }: Partition, epoch: string, from: Start): Promise<OwnedPartition> {
    const { database, publisher, logger } = this.parts;
    const place = { group: this.group, topic, partition };
    const start = typeof from === 'number' ? from : null;
    if (from === 'reset') logger.error(place, 'records were deleted before they had been handled');
    const giveUp = new AbortController();
    const store = database.lettersOf(place, epoch);
    const letters = new KafkaLetters(store, place, publisher, giveUp.signal, logger);
    const parkedKeys = await letters.parkedKeys();
    const worker = new PartitionWorker({
      ...{ ...this.commons, topic, partition, firstOffset: start ?? 0, letters, parkedKeys },
      onProgress: () => {
        if (this.get(owned) === owned) this.onProgress(owned);
      },
    });
    void worker.hold();
    const owned = new OwnedPartition(place, { epoch, worker, giveUp, start });
    return owned;
  }

  private forget(owned: OwnedPartition): Promise<void> {
    this.owned.delete(nameOf(owned));
    return owned.stop();
  }

  /** Gives partitions up and waits for the handlers in hand, but not for ever. */
  private async abandon(all: readonly OwnedPartition[]): Promise<void> {
    if (all.length === 0) return;
    const stops = Promise.all(all.map((owned) => this.forget(owned)));
    if (await atMost(this.graceMs, stops)) return;
    const keys = all.flatMap(({ worker }) => worker.busyKeys).slice(0, 20);
    this.parts.logger.error(
      { group: this.group, keys, graceMs: this.graceMs },
      'handlers have not returned in time and are left behind; their records are delivered again',
    );
  }
}

const nameOf = ({ topic, partition }: Partition): string => `${topic}/${partition}`;

/** Waits for the work, but no longer than that. @returns whether it was done in time */
export const atMost = async (patienceMs: number, work: Promise<unknown>): Promise<boolean> => {
  const done = new AbortController();
  const finished = work.finally(() => done.abort());
  await Promise.race([finished, pause(patienceMs, done.signal)]);
  return done.signal.aborted;
};
