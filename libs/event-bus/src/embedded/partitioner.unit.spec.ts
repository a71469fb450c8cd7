import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { lockKey, lockKeyHalves, partitionOf } from './partitioner.ts';

describe('the partitioner', () => {
  it('puts a key always into the same partition, and into one that exists', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 1_000 }), (key, partitions) => {
        const partition = partitionOf(key, partitions);
        expect(partition).toBe(partitionOf(key, partitions));
        expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true);
      }),
    );
  });

  it('never moves keys: these places are for good', () => {
    expect(
      ['a', 'lea_01', 'ComputeMarket', '🜂', 'a🜂', 'lea_01m8e282qhqb9g07e83ksyn1sw'].map((key) =>
        partitionOf(key, 8),
      ),
    ).toMatchInlineSnapshot(`
      [
        4,
        5,
        5,
        1,
        2,
        2,
      ]
    `);
  });

  it('spreads keys that differ in their last character only', () => {
    const counts = new Array<number>(8).fill(0);
    for (let n = 0; n < 8_000; n += 1) counts[partitionOf(`lea_0000000000000000000000${n}`, 8)]! += 1;
    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1_200);
  });
});

describe('lock keys', () => {
  it('are told apart by every part, and split as Postgres shows them', () => {
    expect(lockKey('a', 'b', 1)).not.toBe(lockKey('a', 'b1'));
    fc.assert(
      fc.property(fc.string(), (text) => {
        const key = lockKey(text);
        const { classid, objid } = lockKeyHalves(key);
        expect(BigInt.asIntN(64, (BigInt(classid) << 32n) | BigInt(objid)).toString()).toBe(key);
      }),
    );
  });
});
