import { describe, expect, it } from '@jest/globals';
import { MassChangeBreaker } from './mass-change-breaker.ts';

const limits = { share: 0.3, windowMs: 60_000, holdMs: 300_000 };

describe('the breaker on mass changes', () => {
  it('lets single failures pass', () => {
    const breaker = new MassChangeBreaker(limits);
    for (let i = 0; i < 10; i += 1) expect(breaker.allows(`lease-${i}`, 10, i * 60_000)).toBe(true);
    expect(breaker.heldSince(600_000)).toBeNull();
  });

  it('holds when too many come at once, and believes them after the hold', () => {
    const breaker = new MassChangeBreaker(limits);
    const allowed = Array.from({ length: 20 }, (_, i) => breaker.allows(`lease-${i}`, 20, 1_000 + i));
    expect(allowed.filter(Boolean)).toHaveLength(6);
    expect(breaker.heldSince(2_000)).not.toBeNull();
    expect(breaker.allows('lease-7', 20, 200_000)).toBe(false);
    expect(breaker.allows('lease-7', 20, 302_000)).toBe(true);
    expect(breaker.heldSince(302_000)).toBeNull();
  });

  it('never holds three, however few there are', () => {
    const breaker = new MassChangeBreaker(limits);
    expect(['a', 'b', 'c'].map((key) => breaker.allows(key, 3, 0))).toEqual([true, true, true]);
    expect(breaker.allows('d', 4, 0)).toBe(false);
  });

  it('counts one workload once', () => {
    const breaker = new MassChangeBreaker(limits);
    for (let i = 0; i < 10; i += 1) expect(breaker.allows('same', 4, i)).toBe(true);
  });
});
