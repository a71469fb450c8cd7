import { describe, expect, it } from '@jest/globals';
import type { Bench } from '../../../test/bench.ts';
import {
  group,
  idOf,
  NOON,
  offerPublished,
  policies,
  service,
  submission,
  TENANT,
} from '../../../test/builders.ts';
import { benchWith, first, one, order, second } from '../../../test/scene.ts';
import { acceptLease, rejectLease } from './provider.ts';
import { closeLease } from './tenant.ts';

describe('acceptance', () => {
  const manual = (): Bench => {
    const bench = benchWith(['p', 'o', { autoAccept: false, perGpu: '0.30' }], ['q', 'other']);
    bench.submit(submission('a', [one], { profile: 'cheapest' }));
    return bench;
  };
  const owner = idOf('account', 'owner of p');

  it('is the provider owner’s alone', () => {
    const bench = manual();
    expect(bench.lease(first).state).toBe('proposed');
    expect(() => bench.run((unit) => acceptLease(unit, TENANT, first))).toThrow('there is no lease');
    expect(bench.run((unit) => acceptLease(unit, owner, first)).state).toBe('accepted');
  });

  it('comes too late after the deadline, even before our clock has noticed', () => {
    const bench = manual();
    bench.circumstances.now += policies.acceptWithinMs + 1;
    expect(() => bench.run((unit) => acceptLease(unit, owner, first))).toThrow('time for accepting is over');
  });

  it('moves to the next candidate after a no, and does not ask the same provider twice', () => {
    const bench = manual();
    bench.run((unit) => rejectLease(unit, owner, first, 'maintenance'));
    expect(bench.lease(first)).toMatchObject({ state: 'rejected', capacityReleased: true });
    expect(bench.lease(second)).toMatchObject({ state: 'accepted', providerId: idOf('provider', 'q') });
    expect(bench.order(order)).toMatchObject({ state: 'matched', leaseIds: [second] });
    expect(bench.freeGpus('o')).toBe(4);
  });

  it('moves on after silence', () => {
    const bench = manual().pass(policies.acceptWithinMs + 1);
    expect(bench.lease(first)).toMatchObject({ state: 'lapsed', endReason: 'acceptance_timeout' });
    expect(bench.lease(second).providerId).toBe(idOf('provider', 'q'));
  });
});

describe('a machine that moves to another offer of its provider', () => {
  const moved = (options: Parameters<typeof offerPublished>[2] = {}): Bench => {
    const bench = benchWith(['p', 'o', { nodes: [{ gpus: 1 }] }]);
    bench.submit(submission('a', [one]));
    bench.fund(first);
    bench.start(first);
    const { providerId, offerId } = bench.lease(first);
    bench.market({ type: 'OfferWithdrawn', providerId, offerId, reason: 'sold anew', atMs: NOON });
    bench.market(offerPublished('p', 'anew', { nodes: [{ gpus: 1 }], ...options }));
    return bench;
  };

  it('is not sold again while a lease runs on it, and is when that has ended', () => {
    const bench = moved();
    expect(bench.submit(submission('b', [one])).state).toBe('unmatched');
    bench.run((unit) => closeLease(unit, TENANT, first));
    bench.terminate(first);
    bench.rematch();
    expect(bench.order(idOf('order', 'b'))).toMatchObject({ state: 'matched', leaseIds: [second] });
    expect(bench.lease(second).offerId).toBe(idOf('offer', 'anew'));
  });

  it('is not sold in slots while a lease has it whole', () => {
    const bench = moved({ sharing: { mode: 'shared', slotsPerGpu: 4 }, nodes: [{ gpus: 4 }] });
    const slot = group('main', [service('web', { sharing: { mode: 'shared', milli: 250 } })]);
    for (const word of ['b', 'c']) expect(bench.submit(submission(word, [slot])).state).toBe('unmatched');
    bench.run((unit) => closeLease(unit, TENANT, first));
    bench.terminate(first);
    bench.rematch();
    for (const word of ['b', 'c']) expect(bench.order(idOf('order', word)).state).toBe('matched');
  });
});

describe('a lost provider', () => {
  it('loses unfunded leases to another provider at once', () => {
    const bench = benchWith(['p', 'o', { perGpu: '0.10' }], ['q', 'other']);
    bench.submit(submission('a', [one], { profile: 'cheapest' }));
    bench.silence('p', 'ProviderOffline');
    expect(bench.lease(first)).toMatchObject({ state: 'lapsed', endReason: 'provider_lost' });
    expect(bench.lease(second)).toMatchObject({ state: 'accepted', providerId: idOf('provider', 'q') });
  });

  it('loses running leases, keeps their machines until proof, and is not matched', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    bench.fund(first);
    bench.start(first);
    bench.silence('p', 'ProviderOffline');
    expect(bench.lease(first)).toMatchObject({
      state: 'closing',
      endReason: 'provider_lost',
      capacityReleased: false,
    });
    expect(bench.freeGpus('o')).toBe(3);
    expect(bench.submit(submission('b', [one])).state).toBe('unmatched');
  });

  it('loses nothing while it is only unreachable', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    bench.fund(first);
    bench.silence('p', 'ProviderUnreachable');
    expect(bench.lease(first).state).toBe('funded');
    expect(bench.submit(submission('b', [one])).explanation?.constraints[0]?.constraint).toBe(
      'provider_online',
    );
  });
});
