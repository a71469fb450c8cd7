import { DomainError, parseUsdc } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { Bench } from '../../../test/bench.ts';
import {
  group,
  idOf,
  leaseNumber,
  NOON,
  offerPublished,
  policies,
  readyProvider,
  service,
  submission,
  TENANT,
  TENANT_WALLET,
} from '../../../test/builders.ts';
import { groupAmounts } from '../capacity-book.ts';
import {
  hearOfEscrow,
  hearOfExhaustion,
  hearOfFundingFailure,
  hearOfOpening,
  hearOfRetraction,
  hearOfSettlement,
  hearOfSpendingLimit,
  hearOfStop,
} from './money.ts';
import { acceptLease, rejectLease } from './provider.ts';
import { cancelOrder, closeLease } from './tenant.ts';
import { hearOfExit, hearOfFailure } from './workload.ts';

const one = group('main', [service('web')]);
const first = leaseNumber(1);
const second = leaseNumber(2);
const order = idOf('order', 'a');

const benchWith = (...offers: Parameters<typeof offerPublished>[]): Bench => {
  const bench = new Bench();
  for (const provider of new Set(offers.map(([name]) => name))) bench.market(...readyProvider(provider));
  for (const offer of offers) bench.market(offerPublished(...offer));
  return bench;
};

const freeGpus = (bench: Bench, offer: string): number =>
  bench.exchange.book.usage(bench.exchange.market.offer(idOf('offer', offer))!).free.gpus;

const escrow = (bench: Bench, free: string, atMs = bench.circumstances.now): void => {
  bench.run((unit) =>
    hearOfEscrow(unit, {
      type: 'EscrowChanged',
      accountId: TENANT,
      depositedMicros: parseUsdc(free),
      freeMicros: parseUsdc(free),
      lockedMicros: 0n,
      spentMicros: 0n,
      withdrawnMicros: 0n,
      atMs,
    }),
  );
};

const refuseFunding = (bench: Bench, atMs = bench.circumstances.now): void =>
  bench.run((unit) =>
    hearOfFundingFailure(unit, {
      type: 'LeaseFundingFailed',
      leaseId: first,
      cause: 'insufficient_escrow',
      detail: 'the escrow holds 0.00',
      shortfallMicros: 420_000n,
      atMs,
    }),
  );

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
    expect(freeGpus(bench, 'o')).toBe(3);
    expect(bench.fund(first)).toBe('funded');
    bench.start(first);
    expect(bench.order(order).state).toBe('fulfilled');
    bench.run((unit) => closeLease(unit, TENANT, first));
    expect(bench.lease(first)).toMatchObject({ state: 'closing', endReason: 'tenant' });
    expect(freeGpus(bench, 'o')).toBe(3);
    bench.run((unit) =>
      hearOfSettlement(unit, {
        type: 'LeaseSettled',
        leaseId: first,
        paidMicros: 10n,
        refundedMicros: 5n,
        txHash: `0x${'00'.repeat(32)}`,
        atMs: NOON,
      }),
    );
    expect(bench.lease(first)).toMatchObject({ state: 'closed', paidMicros: 10n, capacityReleased: false });
    bench.terminate(first);
    expect(freeGpus(bench, 'o')).toBe(4);
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
      bench.run((unit) =>
        hearOfExit(unit, {
          type: 'WorkloadExited',
          leaseId: first,
          exitCode,
          finishedAtMs: NOON,
          atMs: NOON,
        }),
      );
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
    expect(freeGpus(bench, 'o')).toBe(4);
  });

  it('moves on after silence', () => {
    const bench = manual().pass(policies.acceptWithinMs + 1);
    expect(bench.lease(first)).toMatchObject({ state: 'lapsed', endReason: 'acceptance_timeout' });
    expect(bench.lease(second).providerId).toBe(idOf('provider', 'q'));
  });
});

describe('money', () => {
  it('sends the order back to the book when the escrow is short, and tries again when it has changed', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    refuseFunding(bench);
    expect(bench.lease(first)).toMatchObject({
      state: 'lapsed',
      endReason: 'funding_failed',
      capacityReleased: true,
    });
    expect(bench.order(order).explanation?.summary).toContain('0.42 USDC');
    escrow(bench, '0.10', NOON + 1);
    expect(bench.order(order).state).toBe('unmatched');
    escrow(bench, '5', NOON + 2);
    expect(bench.lease(second).state).toBe('accepted');
    escrow(bench, '0.01', NOON + 1);
    expect(bench.exchange.balance(TENANT)?.freeMicros).toBe(parseUsdc('5'));
  });

  it('takes a deposit that was heard of before the refusal it cures', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    escrow(bench, '5', NOON + 10);
    refuseFunding(bench, NOON + 5);
    expect(bench.lease(second).state).toBe('accepted');
  });

  it('does not promise the same free money to two orders', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    bench.submit(submission('b', [one]));
    refuseFunding(bench);
    bench.run((unit) =>
      hearOfFundingFailure(unit, {
        type: 'LeaseFundingFailed',
        leaseId: second,
        cause: 'insufficient_escrow',
        detail: '',
        shortfallMicros: 1n,
        atMs: NOON,
      }),
    );
    escrow(bench, '0.50', NOON + 1); // enough for one
    const states = ['a', 'b'].map((word) => bench.order(idOf('order', word)).state);
    expect(states.sort()).toEqual(['matched', 'unmatched']);
  });

  it('tries again by its own clock with pauses that double, and after a new spending limit', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    bench.pass(policies.fundWithinMs + 1);
    expect(bench.lease(first)).toMatchObject({ state: 'lapsed', endReason: 'funding_timeout' });
    expect(bench.order(order).state).toBe('unmatched');
    bench.pass(policies.fundingRetryMs);
    expect(bench.lease(second).state).toBe('accepted');
    bench.pass(policies.fundWithinMs + 1);
    bench.pass(policies.fundingRetryMs);
    expect(bench.order(order).state).toBe('unmatched');
    bench.run((unit) => hearOfSpendingLimit(unit, TENANT_WALLET));
    expect(bench.order(order).state).toBe('matched');
  });

  it('does not fund on other terms than agreed, nor a lease that was given up', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    const other = { ...bench.opening(first), rateMicrosPerHour: 1n };
    expect(bench.run((unit) => hearOfOpening(unit, other))).toBe('terms_differ');
    expect(bench.lease(first).state).toBe('accepted');
    bench.circumstances.now += policies.fundWithinMs + 1;
    bench.run((unit) => cancelOrder(unit, TENANT, order));
    const mark = bench.log.length;
    expect(bench.fund(first)).toBe('not_ours');
    expect(bench.log.length).toBe(mark);
  });

  it('survives a reorganisation that brings the opening back, and ends where it stays away', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    bench.fund(first);
    bench.start(first);
    const retract = (): void =>
      bench.run((unit) =>
        hearOfRetraction(unit, { ...bench.opening(first), leaseKey: bench.lease(first).chainLeaseKey! }),
      );
    retract();
    expect(bench.lease(first)).toMatchObject({ state: 'active', refundByMs: NOON + policies.refundWithinMs });
    bench.fund(first, { leaseKey: `0x${'7'.repeat(24)}` });
    expect(bench.lease(first)).toMatchObject({
      state: 'active',
      refundByMs: null,
      chainLeaseKey: `0x${'7'.repeat(24)}`,
    });
    retract();
    bench.pass(policies.refundWithinMs + 1);
    expect(bench.lease(first)).toMatchObject({ state: 'closing', endReason: 'escrow_exhausted' });
  });

  it('closes when its tenant or its provider stops it on chain, once', () => {
    for (const [by, endReason] of [
      [TENANT_WALLET, 'tenant'],
      [`0x${'e'.repeat(40)}`, 'decommissioned'],
    ] as const) {
      const bench = benchWith(['p', 'o']);
      bench.submit(submission('a', [one]));
      bench.fund(first);
      bench.start(first);
      const stop = (leaseKey: string, sender: string): void =>
        bench.run((unit) =>
          hearOfStop(unit, {
            name: 'LeaseStopped',
            leaseKey,
            tenant: TENANT_WALLET,
            chainProviderId: bench.lease(first).chainProviderId,
            by: sender,
            endsAtSeconds: NOON / 1_000 + 3_600,
            lockMicros: 1n,
            refundedMicros: 1n,
          }),
        );
      stop(`0x${'9'.repeat(24)}`, by);
      expect(bench.lease(first).state).toBe('active');
      const leaseKey = bench.lease(first).chainLeaseKey!;
      stop(leaseKey, by);
      const stopped = bench.lease(first);
      expect(stopped).toMatchObject({ state: 'closing', endReason });
      stop(leaseKey, TENANT_WALLET);
      expect(bench.lease(first)).toEqual(stopped);
    }
  });

  it('that its tenant stops before it runs takes its order with it; one that its provider stops goes elsewhere', () => {
    const stopOf = (bench: Bench, by: string) => ({
      name: 'LeaseStopped' as const,
      leaseKey: bench.lease(first).chainLeaseKey!,
      tenant: TENANT_WALLET,
      chainProviderId: bench.lease(first).chainProviderId,
      by,
      endsAtSeconds: 1,
      lockMicros: 1n,
      refundedMicros: 1n,
    });
    const byTenant = benchWith(['p', 'o'], ['q', 'r']);
    byTenant.submit(submission('a', [one]));
    byTenant.fund(first);
    byTenant.run((unit) => hearOfStop(unit, stopOf(byTenant, TENANT_WALLET)));
    expect(byTenant.order(order).state).toBe('cancelled');
    const byProvider = benchWith(['p', 'o'], ['q', 'r']);
    byProvider.submit(submission('a', [one]));
    byProvider.fund(first);
    byProvider.run((unit) => hearOfStop(unit, stopOf(byProvider, `0x${'e'.repeat(40)}`)));
    expect(byProvider.order(order)).toMatchObject({ state: 'matched', leaseIds: [second] });
  });

  it('closes when the lock is used up', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    bench.fund(first);
    bench.start(first);
    bench.run((unit) =>
      hearOfExhaustion(unit, { type: 'EscrowExhausted', leaseId: first, zeroTimeAtMs: NOON, atMs: NOON }),
    );
    expect(bench.lease(first)).toMatchObject({ state: 'closing', endReason: 'escrow_exhausted' });
  });
});

describe('a gang', () => {
  const gang = [group('x', [service('a')]), group('y', [service('b')])];

  it('is placed whole or not at all', () => {
    const bench = benchWith(['p', 'o', { nodes: [{ gpus: 1 }] }]);
    const waiting = bench.submit(submission('a', gang));
    expect(waiting.state).toBe('unmatched');
    expect(waiting.explanation?.constraints[0]?.constraint).toBe('together');
    expect(freeGpus(bench, 'o')).toBe(1);
    bench.market(offerPublished('p', 'more', { nodes: [{ gpus: 1 }] }));
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
    bench.run((unit) =>
      hearOfFailure(unit, {
        type: 'WorkloadFailed',
        leaseId: second,
        phase: 'start',
        cause: 'image_pull',
        message: 'no such image',
        atMs: NOON,
      }),
    );
    expect(bench.lease(second).endReason).toBe('start_failed');
    expect(bench.lease(first).endReason).toBe('superseded');
    expect(bench.order(order)).toMatchObject({ state: 'cancelled', endReason: 'start_failed' });
  });

  it('releases the unfunded half with the half that was refused', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', gang));
    refuseFunding(bench);
    expect(bench.lease(second)).toMatchObject({
      state: 'lapsed',
      endReason: 'superseded',
      capacityReleased: true,
    });
    expect(freeGpus(bench, 'o')).toBe(4);
  });
});

describe('a lost provider', () => {
  const offline = (bench: Bench): Bench =>
    bench.market({
      type: 'ProviderOffline',
      providerId: idOf('provider', 'p'),
      lastSeenAtMs: NOON,
      atMs: NOON,
    });

  it('loses unfunded leases to another provider at once', () => {
    const bench = benchWith(['p', 'o', { perGpu: '0.10' }], ['q', 'other']);
    bench.submit(submission('a', [one], { profile: 'cheapest' }));
    offline(bench);
    expect(bench.lease(first)).toMatchObject({ state: 'lapsed', endReason: 'provider_lost' });
    expect(bench.lease(second)).toMatchObject({ state: 'accepted', providerId: idOf('provider', 'q') });
  });

  it('loses running leases, keeps their machines until proof, and is not matched', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    bench.fund(first);
    bench.start(first);
    offline(bench);
    expect(bench.lease(first)).toMatchObject({
      state: 'closing',
      endReason: 'provider_lost',
      capacityReleased: false,
    });
    expect(freeGpus(bench, 'o')).toBe(3);
    expect(bench.submit(submission('b', [one])).state).toBe('unmatched');
  });

  it('loses nothing while it is only unreachable', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    bench.fund(first);
    bench.market({
      type: 'ProviderUnreachable',
      providerId: idOf('provider', 'p'),
      lastSeenAtMs: NOON,
      atMs: NOON,
    });
    expect(bench.lease(first).state).toBe('funded');
    expect(bench.submit(submission('b', [one])).explanation?.constraints[0]?.constraint).toBe(
      'provider_online',
    );
  });
});

it('a group takes what its replicas take together', () => {
  expect(
    groupAmounts(group('g', [service('a', { replicas: 3, gpus: 2 }), service('b', { gpus: 0 })])),
  ).toEqual({
    gpus: 6,
    cpuMillis: 16_000,
    memoryMiB: 32_768,
    storageMiB: 40_960,
  });
});
