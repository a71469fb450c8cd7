import { describe, expect, it } from '@jest/globals';
import { Bench } from '../../../test/bench.ts';
import {
  group,
  idOf,
  offerPublished,
  policies,
  readyProvider,
  service,
  submission,
  TENANT,
} from '../../../test/builders.ts';
import { benchWith, first, order, second } from '../../../test/scene.ts';
import { acceptLease, rejectLease } from './provider.ts';
import { closeLease } from './tenant.ts';

/** Six replicas of one GPU each: more than any one provider of the bench has. */
const gang = [group('gang', [service('worker', { replicas: 6 })], { maxProviders: 2 })];

const placed = (): Bench => {
  const bench = benchWith(['p', 'p'], ['q', 'q']);
  bench.submit(submission('a', gang, { run: 'job' }));
  return bench;
};

describe('an order with a divided group', () => {
  it('has a lease for each part, all in one commit, each of which says which replicas it has', () => {
    const bench = placed();
    const leases = bench.leases();
    expect(leases.map(({ part }) => part)).toEqual([
      { number: 1, of: 2, services: [{ service: 'worker', firstReplica: 0, ofReplicas: 6 }] },
      {
        number: 2,
        of: 2,
        services: [{ service: 'worker', firstReplica: leases[0]!.placements.length, ofReplicas: 6 }],
      },
    ]);
    expect(leases.map(({ group: own, placements }) => own.services[0]!.replicas - placements.length)).toEqual(
      [0, 0],
    );
    expect(leases.flatMap(({ placements }) => placements)).toHaveLength(6);
    expect(bench.log.map(({ event }) => event.type)).toEqual([
      'OrderSubmitted',
      'OrderAnnotated',
      ...['LeaseProposed', 'LeaseAccepted', 'LeaseProposed', 'LeaseAccepted'],
      'OrderMatched',
    ]);
    expect(bench.order(order).rateMicrosPerHour).toBe(
      leases.reduce((sum, { rateMicrosPerHour }) => sum + rateMicrosPerHour, 0n),
    );
    expect(bench.freeGpus()).toBe(2);
  });

  it('waits while there is no room for all of it, and takes nothing meanwhile', () => {
    const bench = benchWith(['p', 'p']);
    const waiting = bench.submit(submission('a', gang));
    expect(waiting.state).toBe('unmatched');
    expect(waiting.explanation?.summary).toContain('nor divided over up to 2 providers of one region');
    expect(bench.freeGpus()).toBe(4);
    bench.market(...readyProvider('far', { region: 'us-east' }), offerPublished('far', 'far'));
    bench.rematch();
    expect(bench.order(order).state).toBe('unmatched');
    bench.market(...readyProvider('q'), offerPublished('q', 'q'));
    bench.rematch();
    expect(bench.order(order).leaseIds).toEqual([first, second]);
  });

  it('is fulfilled when every part has run, and each lease ends with its own part', () => {
    const bench = placed();
    bench.fund(first);
    bench.fund(second);
    bench.start(first);
    bench.exit(first);
    expect(bench.lease(first).endReason).toBe('completed');
    expect(bench.order(order).state).toBe('matched');
    bench.start(second);
    expect(bench.order(order).state).toBe('fulfilled');
    bench.exit(second);
    for (const leaseId of [first, second]) {
      bench.settle(leaseId);
      bench.terminate(leaseId);
    }
    expect(bench.leases().map(({ state }) => state)).toEqual(['closed', 'closed']);
    expect([...bench.exchange.orders()]).toEqual([]);
    expect(bench.freeGpus()).toBe(8);
  });

  it.each(['start', 'run'] as const)('ends with all its parts when one fails (%s)', (phase) => {
    const bench = placed();
    bench.fund(first);
    bench.fund(second);
    if (phase === 'run') [first, second].forEach((leaseId) => bench.start(leaseId));
    bench.fail(second, phase);
    expect(bench.lease(first)).toMatchObject({ state: 'closing', endReason: 'superseded' });
    expect(bench.lease(first).endDetail).toContain('part 2 of 2 of group gang');
    expect(bench.order(order).state).toBe(phase === 'start' ? 'cancelled' : 'fulfilled');
  });

  it('is closed whole by its tenant, who closes one part of it', () => {
    const bench = placed();
    bench.fund(first);
    bench.fund(second);
    bench.run((unit) => closeLease(unit, TENANT, first));
    expect(bench.leases().map(({ endReason }) => endReason)).toEqual(['tenant', 'superseded']);
  });

  it('gives back what the other parts hold when one is not funded', () => {
    const bench = placed();
    bench.refuseFunding(second);
    expect(bench.leases().map(({ state }) => state)).toEqual(['lapsed', 'lapsed']);
    expect(bench.freeGpus()).toBe(8);
  });

  it('goes elsewhere with all its parts when one provider declines', () => {
    const bench = new Bench();
    for (const name of ['p', 'q', 'r']) {
      bench.market(
        ...readyProvider(name),
        offerPublished(name, name, { autoAccept: name === 'p', perGpu: name === 'r' ? '0.90' : '0.40' }),
      );
    }
    bench.submit(submission('a', gang, { profile: 'cheapest' }));
    const asked = bench.leases().find(({ state }) => state === 'proposed')!;
    expect(asked.providerId).toBe(idOf('provider', 'q'));
    bench.run((unit) => rejectLease(unit, idOf('account', 'owner of q'), asked.leaseId, 'busy'));
    const living = bench.exchange
      .leasesOf(order)
      .filter(({ state }) => state === 'proposed' || state === 'accepted');
    expect(living.map(({ providerId }) => providerId).sort()).toEqual(
      [idOf('provider', 'p'), idOf('provider', 'r')].sort(),
    );
    expect(bench.freeGpus()).toBe(12 - 6);
    const last = living.find(({ state }) => state === 'proposed')!;
    bench.run((unit) => acceptLease(unit, idOf('account', 'owner of r'), last.leaseId));
    expect(bench.order(order).state).toBe('matched');
  });

  it('is refused where its parts could be more leases than an account may have, and as an auction', () => {
    const bench = placed();
    const many = Array.from({ length: 16 }, (_, i) =>
      group(`g${i}`, [service('s', { replicas: 16 })], { maxProviders: 16 }),
    );
    expect(policies.maxOpenLeases).toBeLessThan(256);
    expect(() => bench.submit(submission('b', many))).toThrow(
      expect.objectContaining({ code: 'open_leases_limit' }),
    );
    expect(() => bench.submit(submission('c', gang, { biddingWindowMs: 5_000 }))).toThrow(
      expect.objectContaining({ code: 'auction_not_divisible' }),
    );
  });
});
