import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type ChainLease,
  distinctFindings,
  type LeaseView,
  type LedgerLease,
  reconcileLease,
  reconcileTenant,
  type TenantView,
} from './reconciliation.ts';

const TENANT = `0x${'a'.repeat(40)}`;
const chain: ChainLease = {
  tenant: TENANT,
  chainProviderId: 7,
  rateMicrosPerHour: 3_600_000n,
  lockMicros: 100_000n,
  addedMicros: 0n,
  paidMicros: 40_000n,
  payments: 2,
  refundedMicros: 60_000n,
  closed: true,
};
const ledger: LedgerLease = {
  lockedInMicros: 100_000n,
  paidMicros: 40_000n,
  payments: 2,
  refundedMicros: 60_000n,
  tenant: TENANT,
  paidTo: [7],
};
const clean: LeaseView = {
  leaseId: `lea_${'0'.repeat(26)}`,
  terms: { rateMicrosPerHour: 3_600_000n, durationSeconds: 100, lockMicros: 100_000n },
  termsNow: { rateMicrosPerHour: 3_600_000n, durationSeconds: 100, lockMicros: 100_000n },
  tenant: TENANT,
  chainProviderId: 7,
  meter: { cumulativeSeconds: 40, windowSeconds: 40, closed: true },
  chain: [chain],
  ledger,
  contract: { settledMicros: 40_000n, closed: true },
  owedSinceMs: null,
};
const NOW = 1_000_000;
const kinds = (view: LeaseView) =>
  distinctFindings(reconcileLease(view, NOW, 60_000)).map((finding) => finding.kind);

describe('three sides of a lease', () => {
  it('that agree give no alarm, running or closed, at any amount', () => {
    expect(kinds(clean)).toEqual([]);
    fc.assert(
      fc.property(fc.nat(100), fc.nat(100), fc.boolean(), (seconds, settledSeconds, closed) => {
        const settled = closed ? seconds : Math.min(seconds, settledSeconds);
        const paidMicros = BigInt(settled) * 1_000n;
        const payments = settled === 0 ? 0 : 1;
        const refundedMicros = closed ? 100_000n - paidMicros : 0n;
        const paid = { paidMicros, payments, refundedMicros };
        const view: LeaseView = {
          ...clean,
          meter: { cumulativeSeconds: seconds, windowSeconds: seconds, closed },
          chain: [{ ...chain, ...paid, closed }],
          ledger: { ...ledger, ...paid, paidTo: settled === 0 ? [] : [7] },
          contract: { settledMicros: paidMicros, closed },
        };
        expect(reconcileLease(view, NOW, 60_000)).toEqual([]);
      }),
    );
  });

  it.each<[string, Partial<LeaseView>, string[]]>([
    [
      'the ledger lacks a payment',
      { ledger: { ...ledger, paidMicros: 10_000n, payments: 1 } },
      ['wrong_amount'],
    ],
    [
      'the ledger has no payment',
      { ledger: { ...ledger, paidMicros: 0n, payments: 0, paidTo: [] } },
      ['missing'],
    ],
    ['the ledger has nothing', { ledger: null }, ['missing']],
    ['the ledger paid twice', { ledger: { ...ledger, paidMicros: 80_000n, payments: 4 } }, ['duplicate']],
    ['the ledger paid another provider', { ledger: { ...ledger, paidTo: [8] } }, ['wrong_party']],
    ['the ledger paid two providers', { ledger: { ...ledger, paidTo: [7, 8] } }, ['wrong_party']],
    ['the ledger gave no refund', { ledger: { ...ledger, refundedMicros: 0n } }, ['missing']],
    [
      'the ledger locked another amount',
      { ledger: { ...ledger, lockedInMicros: 99_999n } },
      ['wrong_amount'],
    ],
    [
      'the chain has another tenant',
      { chain: [{ ...chain, tenant: `0x${'b'.repeat(40)}` }] },
      ['wrong_party'],
    ],
    ['the chain has another rate', { chain: [{ ...chain, rateMicrosPerHour: 1n }] }, ['wrong_amount']],
    ['the chain has it twice', { chain: [chain, chain] }, ['duplicate']],
    ['the chain does not have it', { chain: [] }, ['missing']],
    [
      'the meter says less',
      { meter: { cumulativeSeconds: 39, windowSeconds: 39, closed: true } },
      ['wrong_amount'],
    ],
    [
      'the meter says nothing',
      { meter: { cumulativeSeconds: 0, windowSeconds: 0, closed: true } },
      ['missing'],
    ],
    [
      'a window was counted twice',
      { meter: { cumulativeSeconds: 40, windowSeconds: 50, closed: true } },
      ['duplicate'],
    ],
    ['a window was lost', { meter: { cumulativeSeconds: 40, windowSeconds: 30, closed: true } }, ['missing']],
    [
      'storage says more than events',
      { contract: { settledMicros: 41_000n, closed: true } },
      ['wrong_amount'],
    ],
    ['storage says open', { contract: { settledMicros: 40_000n, closed: false } }, ['missing']],
    ['the chain owes a step for long', { owedSinceMs: NOW - 60_001 }, ['timing']],
  ])('where %s', (_, change, expected) => {
    expect(kinds({ ...clean, ...change })).toEqual(expected);
  });

  it('where both come together', () => {
    const both = { ...clean, ledger: null, owedSinceMs: 1 };
    expect(kinds(both)).toEqual(expect.arrayContaining(['missing', 'timing']));
  });

  it('waits for what is only under way', () => {
    expect(kinds({ ...clean, owedSinceMs: NOW - 60_000 })).toEqual([]);
    const opening = { ...clean, chain: [], ledger: null, contract: null, owedSinceMs: NOW - 1_000 };
    expect(kinds(opening)).toEqual([]);
  });
});

describe('the books of a tenant', () => {
  const view: TenantView = {
    wallet: TENANT,
    ledger: { depositedMicros: 10n, freeMicros: 4n, lockedMicros: 3n, spentMicros: 2n, withdrawnMicros: 1n },
    chain: { depositedMicros: 10n, withdrawnMicros: 1n, freeMicros: 4n },
  };

  it('agree', () => expect(reconcileTenant(view)).toEqual([]));

  it.each([
    ['a deposit that the ledger lacks', { depositedMicros: 12n }, 'wrong_amount'],
    ['a withdrawal that the chain lacks', { withdrawnMicros: 0n }, 'missing'],
    ['money that should be free', { freeMicros: 5n }, 'wrong_amount'],
  ])('do not, with %s', (_, change, kind) => {
    expect(reconcileTenant({ ...view, chain: { ...view.chain, ...change } })).toMatchObject([{ kind }]);
  });
});
