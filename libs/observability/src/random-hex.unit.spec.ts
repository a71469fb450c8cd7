import { describe, expect, it } from '@jest/globals';
import { randomHex } from './random-hex.ts';

describe('random digits', () => {
  it('are as many as asked for, and never the same again, over many fillings of the pool', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 5_000; i += 1) {
      const [trace, span] = [randomHex(16), randomHex(8)];
      expect(trace).toMatch(/^[0-9a-f]{32}$/);
      expect(span).toMatch(/^[0-9a-f]{16}$/);
      seen.add(trace).add(span);
    }
    expect(seen.size).toBe(10_000);
  });

  it('takes every byte value about equally often', () => {
    const counts = new Array<number>(256).fill(0);
    for (const byte of Buffer.from(randomHex(4_096) + randomHex(4_096) + randomHex(4_096), 'hex'))
      counts[byte]! += 1;
    expect(Math.min(...counts)).toBeGreaterThan(10);
    expect(Math.max(...counts)).toBeLessThan(120);
  });
});
