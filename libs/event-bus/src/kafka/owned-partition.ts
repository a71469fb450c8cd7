import type { KafkaMessage } from 'kafkajs';
import type { PartitionWorker } from '../delivery/partition-worker.ts';
import { loggedRecord } from './message.ts';
import type { Partition } from './owner-database.ts';

/** What kafkajs has fetched of a partition. */
export type Fetched = {
  /** The offset that was asked for: there is nothing between it and the first message. */
  readonly from: number;
  /** The last offset, also of what is not handed out (control records). */
  readonly last: number;
  readonly messages: readonly KafkaMessage[];
};

/** A partition that this member has, and what has been fetched of it and not been taken in. */
export class OwnedPartition implements Partition {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: string;
  readonly worker: PartitionWorker;
  /** In this membership. */
  committed = 0;
  paused = false;
  private backlog: readonly KafkaMessage[] = [];
  private at = 0;
  /** The first offset that has not been fetched, so that nothing is left out; null where none is known. */
  private next: number | null;
  private readonly giveUp: AbortController;

  /** @param start the offset from which the group goes on; null where it has committed nothing */
  constructor(
    { topic, partition }: Partition,
    parts: { epoch: string; worker: PartitionWorker; giveUp: AbortController; start: number | null },
  ) {
    this.topic = topic;
    this.partition = partition;
    this.epoch = parts.epoch;
    this.worker = parts.worker;
    this.giveUp = parts.giveUp;
    this.next = parts.start;
  }

  /** There is more than the worker has room for. */
  get full(): boolean {
    return this.at < this.backlog.length;
  }

  /**
   * The group was joined anew, and Kafka fetches again from the committed offset, or from behind it: what lies between
   * that and the worker's next offset the worker knows.
   */
  rejoin(): void {
    if (this.next !== null) this.next = this.worker.nextOffset;
    Object.assign(this, { backlog: [], at: 0, paused: false, committed: 0 });
  }

  /** The offset from which should have been fetched, where that leaves something out; null where it does not. */
  missingBefore({ from }: Fetched): number | null {
    return this.next !== null && from > this.next ? this.next : null;
  }

  /** What lies before that offset is not there any more. */
  skipTo(offset: number): void {
    this.next = offset;
  }

  add({ last, messages }: Fetched): void {
    this.backlog = this.full ? [...this.backlog.slice(this.at), ...messages] : messages;
    this.at = 0;
    this.next = last + 1;
  }

  /** Hands the worker what it has room for. */
  feed(): void {
    // What the worker has had already takes no room, and nothing that it settles would have us come back.
    while (this.full && this.worker.room > 0) {
      this.worker.take(loggedRecord(this.backlog[this.at]!));
      this.at += 1;
    }
    if (!this.full && this.backlog.length > 0) Object.assign(this, { backlog: [], at: 0 });
  }

  /** Gives the partition up. @returns when the handlers in hand have returned */
  stop(): Promise<void> {
    this.giveUp.abort();
    return this.worker.stop();
  }
}
