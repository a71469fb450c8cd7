import { describe, expect, it } from '@jest/globals';
import type { Admin, Kafka } from 'kafkajs';
import { GroupOffsets } from './group-offsets.ts';

const TOPIC = 'gridbourse.test.thing';

/** Kafka as its admin shows it: records 5 to 9 are there, and the group has committed this for partitions 0, 1, 2. */
const offsetsOf = (committed: readonly string[]): GroupOffsets => {
  const admin = {
    connect: () => Promise.resolve(),
    fetchOffsets: () =>
      Promise.resolve([
        {
          topic: TOPIC,
          partitions: committed.map((offset, partition) => ({ partition, offset, metadata: null })),
        },
      ]),
    fetchTopicOffsets: () =>
      Promise.resolve(committed.map((_, partition) => ({ partition, offset: '10', low: '5', high: '10' }))),
  } as unknown as Admin;
  return new GroupOffsets({ admin: () => admin } as unknown as Kafka);
};

describe('the offsets of a group', () => {
  const partitions = [0, 1, 2].map((partition) => ({ topic: TOPIC, partition }));

  it('tell where it goes on, and why it has no offset of its own', async () => {
    const offsets = offsetsOf(['7', '-1', '-2']);
    expect(await offsets.committed('group', partitions)).toEqual([7, 'nothing committed', 'reset']);
  });

  it('have it behind by what is there where it has none of its own, also where kafkajs has reset it', async () => {
    const lag = await offsetsOf(['7', '-1', '-2']).lag('group', [TOPIC]);
    expect(lag.map(({ committed, end, lag: behind }) => [committed, end, behind])).toEqual([
      [7, 10, 3],
      [5, 10, 5],
      [5, 10, 5],
    ]);
  });
});
