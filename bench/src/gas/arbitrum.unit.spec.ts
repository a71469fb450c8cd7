import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { compressedBytes, costUsd, l1Gas, l1Units } from './arbitrum.ts';

const prices = { ethUsd: 3_000, l2Gwei: 0.02, l1UnitGwei: 0.5 };

describe("Arbitrum's fee", () => {
  it('counts compressed bytes, sixteen units each', () => {
    const repeated = `0x${'ab'.repeat(1_000)}`;
    expect(compressedBytes(repeated)).toBeLessThan(100);
    // What cannot be made shorter stays about as long as it was.
    expect(compressedBytes(`0x${randomBytes(1_000).toString('hex')}`)).toBeGreaterThan(990);
    expect(l1Units(10)).toBe(160);
  });

  it('turns the L1 fee into gas at the L2 base fee', () => {
    expect(l1Gas(160, prices)).toBeCloseTo(4_000);
  });

  it('charges 0.001 dollars for 16,667 gas at 0.02 gwei and 3,000 dollars', () => {
    expect(costUsd(16_667, 0, prices)).toBeCloseTo(0.001, 6);
    expect(costUsd(16_667 - 4_000, 160, prices)).toBeCloseTo(0.001, 6);
  });
});
