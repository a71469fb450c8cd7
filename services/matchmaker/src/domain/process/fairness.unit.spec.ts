import { nextInt, type Random, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Bench } from '../../../test/bench.ts';
import { group, idOf, offerPublished, readyProvider, service, submission } from '../../../test/builders.ts';
import type { Order } from '../order.ts';
import { cancelOrder } from './tenant.ts';

const pick = <T>(random: Random, all: readonly T[]): T | undefined => all[nextInt(random, all.length)];

/** One machine with four GPUs, for which two tenants queue: one sends three times as many orders as the other. */
class Queue {
  readonly bench = new Bench();
  readonly sent: Order[] = [];
  /** The how manieth to be placed; and how many older orders its tenant had when it came, waiting or placed. */
  readonly turn = new Map<string, number>();
  readonly ahead = new Map<string, number>();

  constructor(private readonly random: Random) {
    this.bench.market(...readyProvider('p'), offerPublished('p', 'o', { nodes: [{ gpus: 4 }] }));
  }

  arrive(): void {
    const { bench, sent, random } = this;
    const accountId = idOf('account', pick(random, ['greedy', 'greedy', 'greedy', 'modest'])!);
    const before = bench.exchange.ordersOf(accountId);
    const order = bench.submit(
      submission(`order ${sent.length}`, [group('g', [service('s')])], {
        accountId,
        expiresAtMs: bench.circumstances.now + 100_000_000,
      }),
    );
    this.sent.push(order);
    this.ahead.set(order.orderId, before.length);
    this.look();
    bench.circumstances.now += 1_000 * (1 + nextInt(random, 30));
  }

  /** One of those who have a GPU leaves it. */
  leave(): void {
    const holding = this.bench.leases().filter(({ state }) => state === 'accepted');
    const lease = pick(this.random, holding);
    if (lease) this.bench.run((unit) => cancelOrder(unit, lease.accountId, lease.orderId));
    this.bench.rematch();
    this.look();
  }

  private look(): void {
    for (const { orderId } of this.sent) {
      if (this.bench.order(orderId).state === 'matched' && !this.turn.has(orderId)) {
        this.turn.set(orderId, this.turn.size);
      }
    }
  }
}

describe('those who wait', () => {
  it('are all placed in the end, and are overtaken only as far as their own tenant’s older orders put them back', () => {
    let overtaken = 0;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const queue = new Queue(seededRandom(seed));
        for (let round = 0; round < 25; round += 1) {
          queue.arrive();
          queue.arrive();
          queue.leave();
        }
        for (let round = 0; round < 60; round += 1) queue.leave();
        expect(queue.turn.size).toBe(queue.sent.length);
        for (const order of queue.sent) {
          const turn = queue.turn.get(order.orderId)!;
          const patience = 30_000 * queue.ahead.get(order.orderId)!;
          for (const other of queue.sent) {
            const first = queue.turn.get(other.orderId)! < turn && other.submittedAtMs > order.submittedAtMs;
            if (!first) continue;
            overtaken += 1;
            expect(other.accountId).not.toBe(order.accountId);
            expect(other.submittedAtMs).toBeLessThanOrEqual(order.submittedAtMs + patience);
          }
        }
      }),
      { numRuns: 12 },
    );
    expect(overtaken).toBeGreaterThan(20);
  });
});
