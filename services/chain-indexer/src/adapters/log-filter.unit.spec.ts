import { describe, expect, it } from '@jest/globals';
import { LogFilter } from './log-filter.ts';

describe('the filter of a block', () => {
  // The example of go-ethereum's core/types/bloom9_test.go would need its whole list; these bits are counted by hand:
  // keccak256 of twenty zero bytes begins 5380c7b7ae81, so bits 0x380, 0x7b7 and 0x681.
  const ZERO = `0x${'00'.repeat(20)}`;
  const bloomWith = (...bits: number[]): string => {
    const bytes = Buffer.alloc(256);
    for (const bit of bits) bytes[255 - (bit >> 3)]! |= 1 << (bit & 7);
    return `0x${bytes.toString('hex')}`;
  };

  it('affirms an address whose three bits are set, and denies it when one is not', () => {
    const filter = new LogFilter([ZERO]);
    expect(filter.mayHold(bloomWith(0x380, 0x7b7, 0x681))).toBe(true);
    expect(filter.mayHold(bloomWith(0x380, 0x7b7))).toBe(false);
    expect(filter.mayHold(bloomWith())).toBe(false);
  });
});
