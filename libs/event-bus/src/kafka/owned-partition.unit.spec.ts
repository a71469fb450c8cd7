import { expect, it } from '@jest/globals';
import type { KafkaMessage } from 'kafkajs';
import type { PartitionWorker } from '../delivery/partition-worker.ts';
import { OwnedPartition } from './owned-partition.ts';

it('a partition hands on what is new, however much that was had before is fetched again with it', () => {
  const taken: number[] = [];
  const worker = {
    nextOffset: 50,
    get room() {
      return 10 - taken.length;
    },
    take: ({ offset }: { offset: number }) => void (offset >= 50 && taken.push(offset)),
  } as unknown as PartitionWorker;
  const owned = new OwnedPartition(
    { topic: 'topic', partition: 0 },
    { epoch: '1', worker, giveUp: new AbortController(), start: 0 },
  );
  const messages = Array.from(
    { length: 55 },
    (_, offset) =>
      ({ key: Buffer.from('k'), value: Buffer.from('{}'), offset: String(offset) }) as KafkaMessage,
  );
  owned.add({ from: 0, last: 54, messages });
  owned.feed();
  expect({ taken, full: owned.full }).toEqual({ taken: [50, 51, 52, 53, 54], full: false });
});
