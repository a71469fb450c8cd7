import { ManualClock } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { cellOf } from './gcra.ts';
import { MemoryKeyValue } from './memory/memory-key-value.ts';

const policies = fc.record({
  quota: fc.integer({ min: 1, max: 50 }),
  windowMs: fc.integer({ min: 1, max: 10_000 }),
});
/** Pauses and costs, the cost as a share of the quota. */
const histories = fc.array(
  fc.record({
    pauseMs: fc.integer({ min: 0, max: 3_000 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { minLength: 1, maxLength: 60 },
);

describe('a budget', () => {
  it('is never overspent in any span of time, and holds what it should', async () => {
    await fc.assert(
      fc.asyncProperty(policies, histories, async (policy, history) => {
        const clock = new ManualClock(Date.UTC(2026, 0, 1));
        const store = new MemoryKeyValue({ clock });
        const { intervalUs } = cellOf(policy);
        const admitted: { atMs: number; cost: number }[] = [];
        for (const { pauseMs, share } of history) {
          clock.advance(pauseMs);
          const cost = 1 + Math.floor(share * (policy.quota - 1));
          const before = admitted.length;
          const spent = await store.spend('k', policy, cost);
          if (spent.allowed) admitted.push({ atMs: clock.now(), cost });
          expect(spent.remaining).toBeGreaterThanOrEqual(0);
          expect(spent.remaining).toBeLessThanOrEqual(policy.quota);
          expect(spent.resetMs).toBeLessThanOrEqual(Math.ceil((intervalUs * policy.quota) / 1_000));
          expect(admitted.length - before).toBe(spent.allowed ? 1 : 0);
        }
        for (const [first, { atMs: from }] of admitted.entries()) {
          let units = 0;
          for (const { atMs, cost } of admitted.slice(first)) {
            units += cost;
            expect(units).toBeLessThanOrEqual(policy.quota + ((atMs - from) * 1_000) / intervalUs);
          }
        }
      }),
    );
  });

  it('allows after retryAfterMs what it refused, and not a moment before', async () => {
    await fc.assert(
      fc.asyncProperty(policies, fc.integer({ min: 1, max: 50 }), async (policy, wish) => {
        const cost = Math.min(wish, policy.quota);
        const outcomes = await Promise.all(
          [0, -1].map(async (earlyMs) => {
            const clock = new ManualClock(0);
            const store = new MemoryKeyValue({ clock });
            await store.spend('k', policy, policy.quota);
            const refused = await store.spend('k', policy, cost);
            if (refused.retryAfterMs === 0) return { refused, later: null };
            clock.advance(refused.retryAfterMs + earlyMs);
            return { refused, later: await store.spend('k', policy, cost) };
          }),
        );
        expect(outcomes.map(({ refused }) => refused.allowed)).toEqual([false, false]);
        expect(outcomes.map(({ later }) => later?.allowed)).toEqual([true, false]);
      }),
    );
  });

  it('gives no more than the policy where the window cannot be divided evenly', () => {
    fc.assert(
      fc.property(policies, (policy) => {
        const { intervalUs, capacityUs } = cellOf(policy);
        expect(Number.isInteger(intervalUs)).toBe(true);
        expect(capacityUs).toBeGreaterThanOrEqual(policy.windowMs * 1_000);
      }),
    );
  });
});
