import { DomainError } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { Bench } from '../../../test/bench.ts';
import {
  group,
  idOf,
  offerPublished,
  policies,
  service,
  submission,
  TENANT,
} from '../../../test/builders.ts';
import { benchWith, first, one, order, second } from '../../../test/scene.ts';
import { cancelOrder, closeLease } from './tenant.ts';

describe('the life of an order', () => {
  it('runs from submission to settlement, and holds its machine until proof that nothing runs', () => {
    const bench = benchWith(['p', 'o']);
    expect(bench.submit(submission('a', [one])).state).toBe('matched');
    expect(bench.story(0)).toEqual([
      'OrderSubmitted',
      'OrderAnnotated',
      'LeaseProposed',
      'LeaseAccepted',
      'OrderMatched',
    ]);
    expect(bench.freeGpus('o')).toBe(3);
    expect(bench.fund(first)).toBe('funded');
    bench.start(first);
    expect(bench.order(order).state).toBe('fulfilled');
    bench.run((unit) => closeLease(unit, TENANT, first));
    expect(bench.lease(first)).toMatchObject({ state: 'closing', endReason: 'tenant' });
    expect(bench.freeGpus('o')).toBe(3);
    bench.settle(first, 10n, 5n);
    expect(bench.lease(first)).toMatchObject({ state: 'closed', paidMicros: 10n, capacityReleased: false });
    bench.terminate(first);
    expect(bench.freeGpus('o')).toBe(4);
    expect(bench.exchange.order(order)).toBeUndefined();
    expect(bench.exchange.lease(first)).toBeUndefined();
  });

  it('completes a job: an exit with code 0 fulfils and completes, another code fails it', () => {
    for (const [exitCode, reason, orderState] of [
      [0, 'completed', 'fulfilled'],
      [3, 'workload_failed', 'cancelled'],
    ] as const) {
      const bench = benchWith(['p', 'o']);
      bench.submit(submission('a', [one], { run: 'job' }));
      bench.fund(first);
      bench.exit(first, exitCode);
      expect(bench.lease(first).endReason).toBe(reason);
      expect(bench.order(order).state).toBe(orderState);
    }
  });

  it('waits in the book with an explanation, and is matched when capacity appears', () => {
    const bench = benchWith(['p', 'small', { model: 'rtx3090' }]);
    const waiting = bench.submit(submission('a', [one]));
    expect(waiting.state).toBe('unmatched');
    expect(waiting.explanation?.constraints).toEqual([
      { constraint: 'gpu_model', failed: 1, expected: 'GPU rtx4090' },
    ]);
    expect(waiting.explanation?.smallestChange?.to).toBe('rtx4090 or rtx3090');
    bench.market(offerPublished('p', 'right'));
    bench.rematch();
    expect(bench.order(order).state).toBe('matched');
  });

  it('is matched when the machine it waits for is released', () => {
    const bench = benchWith(['p', 'o', { nodes: [{ gpus: 1 }] }]);
    bench.submit(submission('a', [one]));
    expect(bench.submit(submission('b', [one])).explanation?.smallestChange?.field).toBe('wait');
    bench.run((unit) => cancelOrder(unit, TENANT, order));
    expect(bench.lease(first)).toMatchObject({
      state: 'lapsed',
      endReason: 'order_cancelled',
      capacityReleased: true,
    });
    bench.rematch();
    expect(bench.order(idOf('order', 'b')).state).toBe('matched');
  });

  it('expires by our own clock, and not before', () => {
    const bench = benchWith(['p', 'o', { model: 'rtx3090' }]);
    bench.submit(submission('a', [one]));
    expect(bench.pass(3_599_999).order(order).state).toBe('unmatched');
    expect(bench.pass(1).order(order).state).toBe('expired');
    expect(() => bench.run((unit) => cancelOrder(unit, TENANT, order))).toThrow(DomainError);
  });

  it('gives the same order for the same id, and refuses another request under it', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    const mark = bench.log.length;
    expect(bench.submit(submission('a', [one])).state).toBe('matched');
    expect(bench.log.length).toBe(mark);
    expect(() => bench.submit(submission('a', [one], { requestHash: 'another' }))).toThrow(
      'used for another order',
    );
  });

  it('keeps the limits of an account, and changes nothing when it refuses', () => {
    const bench = new Bench();
    for (let i = 0; i < policies.maxOpenOrders; i += 1) bench.submit(submission(`n${i}`, [one]));
    const mark = bench.log.length;
    expect(() => bench.submit(submission('a', [one]))).toThrow('open orders');
    expect(bench.log.length).toBe(mark);
    expect(bench.exchange.order(order)).toBeUndefined();
  });
});

describe('a gang', () => {
  const gang = [group('x', [service('a')]), group('y', [service('b')])];

  it('is placed whole or not at all', () => {
    const bench = benchWith(['p', 'o', { nodes: [{ gpus: 1 }] }]);
    const waiting = bench.submit(submission('a', gang));
    expect(waiting.state).toBe('unmatched');
    expect(waiting.explanation?.constraints[0]?.constraint).toBe('together');
    expect(bench.freeGpus('o')).toBe(1);
    bench.market(offerPublished('p', 'more', { nodes: [{ gpus: 1 }], machines: 'another' }));
    bench.rematch();
    expect(bench.order(order).leaseIds).toEqual([first, second]);
  });

  it('is fulfilled when every lease has run, and dies together', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', gang));
    bench.fund(first);
    bench.start(first);
    expect(bench.order(order).state).toBe('matched');
    bench.fund(second);
    bench.fail(second, 'start', 'image_pull');
    expect(bench.lease(second).endReason).toBe('start_failed');
    expect(bench.lease(first).endReason).toBe('superseded');
    expect(bench.order(order)).toMatchObject({ state: 'cancelled', endReason: 'start_failed' });
  });

  it('releases the unfunded half with the half that was refused', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', gang));
    bench.refuseFunding(first);
    expect(bench.lease(second)).toMatchObject({
      state: 'lapsed',
      endReason: 'superseded',
      capacityReleased: true,
    });
    expect(bench.freeGpus('o')).toBe(4);
  });
});
