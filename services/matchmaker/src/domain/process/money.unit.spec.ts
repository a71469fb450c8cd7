import { parseUsdc } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import type { Bench } from '../../../test/bench.ts';
import { idOf, NOON, policies, submission, TENANT, TENANT_WALLET } from '../../../test/builders.ts';
import { benchWith, first, one, order, second } from '../../../test/scene.ts';
import {
  hearOfEscrow,
  hearOfExhaustion,
  hearOfOpening,
  hearOfRetraction,
  hearOfSpendingLimit,
  hearOfStop,
} from './money.ts';
import { cancelOrder } from './tenant.ts';

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

describe('money', () => {
  it('sends the order back to the book when the escrow is short, and tries again when it has changed', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    bench.refuseFunding(first, { shortfallMicros: 420_000n });
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
    bench.refuseFunding(first, { shortfallMicros: 420_000n, atMs: NOON + 5 });
    expect(bench.lease(second).state).toBe('accepted');
  });

  it('does not promise the same free money to two orders', () => {
    const bench = benchWith(['p', 'o']);
    bench.submit(submission('a', [one]));
    bench.submit(submission('b', [one]));
    bench.refuseFunding(first, { shortfallMicros: 420_000n });
    bench.refuseFunding(second);
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
