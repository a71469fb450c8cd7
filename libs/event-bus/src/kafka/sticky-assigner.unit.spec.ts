import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { type Member, shareOut, type TopicPartitions } from './sticky-assigner.ts';

const count = (assignment: TopicPartitions): number => Object.values(assignment).flat().length;
const members = fc.uniqueArray(fc.stringMatching(/^m[0-9]{1,4}$/), { minLength: 1, maxLength: 8 });
const topics = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 4 });

describe('sharing partitions out', () => {
  it('gives each partition to one member, evenly, and leaves all in place when nothing has changed', () => {
    fc.assert(
      fc.property(members, members, topics, fc.integer({ min: 1, max: 12 }), (before, after, names, size) => {
        const partitions = new Map(names.map((name) => [name, size]));
        const first = shareOut(
          before.map((id): Member => ({ id, topics: names, owned: {} })),
          partitions,
        );
        const second = shareOut(
          after.map((id): Member => ({ id, topics: names, owned: first.get(id) ?? {} })),
          partitions,
        );
        for (const shares of [first, second]) {
          const all = [...shares.values()].flatMap((share) =>
            Object.entries(share).flatMap(([topic, owned]) =>
              owned.map((partition) => `${topic}/${partition}`),
            ),
          );
          expect(new Set(all).size).toBe(all.length);
          expect(all).toHaveLength(names.length * size);
          const sizes = [...shares.values()].map(count);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        }
        const again = shareOut(
          after.map((id): Member => ({ id, topics: names, owned: second.get(id) ?? {} })),
          partitions,
        );
        for (const [id, share] of second) {
          for (const [topic, owned] of Object.entries(share)) {
            expect([...(again.get(id)?.[topic] ?? [])].sort()).toEqual([...owned].sort());
          }
        }
      }),
    );
  });

  it('gives a topic only to members that ask for it, and believes one owner where two claim to be', () => {
    const shares = shareOut(
      [
        { id: 'old', topics: ['a'], owned: { a: [0, 1] } },
        { id: 'new', topics: ['a', 'b'], owned: { a: [0, 1], b: [9] } },
      ],
      new Map([
        ['a', 2],
        ['b', 2],
      ]),
    );
    expect(shares.get('old')?.['b']).toBeUndefined();
    expect([...(shares.get('old')?.['a'] ?? []), ...(shares.get('new')?.['a'] ?? [])].sort()).toEqual([0, 1]);
    expect(shares.get('new')?.['b']).toEqual([0, 1]);
  });
});

describe('the partition of a key in Kafka', () => {
  it('is that of every other Kafka client, for good', () => {
    const partitionOf = Partitioners.DefaultPartitioner();
    const partitionMetadata = Array.from({ length: 8 }, (_, partitionId) => ({ partitionId, leader: 1 }));
    // murmur2 as Kafka's own tests have it (UtilsTest), made positive, modulo 8.
    const known = {
      '21': -973932308,
      foobar: -790332482,
      'a-little-bit-long-string': -985981536,
      abc: 479470107,
    };
    for (const [key, hash] of Object.entries(known)) {
      const partition = partitionOf({
        topic: 't',
        partitionMetadata: partitionMetadata as never,
        message: { key, value: '' },
      });
      expect([key, partition]).toEqual([key, (hash & 0x7fffffff) % 8]);
    }
  });
});
