import { describe, expect, it } from '@jest/globals';
import { lockMicros } from '@gridbourse/kernel';
import fc from 'fast-check';
import {
  decideSettlement,
  nextSettlement,
  retryDelayMs,
  type SettleableLease,
  type Settlement,
  type SettlementCommand,
} from './settlement.ts';

const drafted: Settlement = {
  settlementId: `set_${'0'.repeat(26)}`,
  leaseId: `lea_${'0'.repeat(26)}`,
  kind: 'interim',
  cumulativeMicros: 70n,
  state: 'drafted',
  txHash: null,
  submittedAtMs: null,
  paidMicros: null,
  failure: null,
};
const submit: SettlementCommand = { type: 'Submit', txHash: '0x01', submittedAtMs: 1_000 };
const confirm: SettlementCommand = { type: 'Confirm', txHash: '0x01', paidMicros: 7n, now: 1_400 };
const fail: SettlementCommand = { type: 'Fail', reason: 'more_than_earned', retryable: true };

const run = (commands: readonly SettlementCommand[]) => {
  let settlement = drafted;
  const types: string[] = [];
  for (const command of commands) {
    const { next, events } = decideSettlement(command, settlement);
    settlement = next;
    types.push(...events.map((event) => event.type));
  }
  return { settlement, types };
};

describe('a settlement', () => {
  it('is submitted, confirmed and finalized, and tells the first two', () => {
    const { settlement, types } = run([submit, confirm, { type: 'Finalize' }]);
    expect(settlement).toMatchObject({ state: 'finalized', paidMicros: 7n });
    expect(types).toEqual(['SettlementSubmitted', 'SettlementConfirmed']);
  });

  it('that the indexer confirms before the relayer has told of it tells both at once', () => {
    const { events } = decideSettlement(confirm, drafted);
    expect(events).toMatchObject([
      { type: 'SettlementSubmitted', txHash: '0x01' },
      { type: 'SettlementConfirmed', confirmationMs: 0, paidMicros: 7n },
    ]);
    expect(run([confirm, submit]).types).toEqual(['SettlementSubmitted', 'SettlementConfirmed']);
  });

  it('says how long the chain took', () => {
    const { next } = decideSettlement(submit, drafted);
    expect(decideSettlement(confirm, next).events).toMatchObject([{ confirmationMs: 400 }]);
  });

  it('that failed and reaches the chain after all is confirmed', () => {
    expect(run([submit, fail, confirm]).settlement).toMatchObject({ state: 'confirmed', failure: null });
  });

  it('is submitted again when its block is taken back, and cannot be finalized then', () => {
    const { settlement } = run([submit, confirm, { type: 'Retract' }]);
    expect(settlement).toMatchObject({ state: 'submitted', paidMicros: null });
    expect(() => decideSettlement({ type: 'Finalize' }, settlement)).toThrow('is submitted, not finalized');
  });

  it('changes nothing when told the same again, in any state', () => {
    const commands = fc.array(
      fc.constantFrom<SettlementCommand>(submit, confirm, fail, { type: 'Retract' }),
      {
        maxLength: 6,
      },
    );
    fc.assert(
      fc.property(commands, (history) => {
        const { settlement } = run(history);
        for (const command of history.slice(-1)) {
          expect(decideSettlement(command, settlement)).toEqual({ next: settlement, events: [] });
        }
      }),
    );
  });
});

describe('what is to be settled next', () => {
  const lease: SettleableLease = {
    terms: { rateMicrosPerHour: 3_600_000n, durationSeconds: 100, lockMicros: lockMicros(3_600_000n, 100n) },
    cumulativeSeconds: 30,
    meterStarted: true,
    meterClosed: false,
    lapsed: false,
    openedOnChain: true,
    closedOnChain: false,
    settledMicros: 10_000n,
    inFlight: null,
    retryNotBeforeMs: null,
  };
  const next = (change: Partial<SettleableLease>) => nextSettlement({ ...lease, ...change }, 1_000);

  it('is what has been earned, cumulative, while the lease runs', () => {
    expect(next({})).toEqual({ kind: 'interim', cumulativeMicros: 30_000n });
    expect(next({ cumulativeSeconds: 10 })).toBeNull();
    expect(next({ inFlight: 'interim' })).toBeNull();
    expect(next({ retryNotBeforeMs: 1_001 })).toBeNull();
  });

  it('is everything, once the meter has closed, whatever is in flight', () => {
    const final = { kind: 'final', cumulativeMicros: 30_000n };
    expect(next({ meterClosed: true })).toEqual(final);
    expect(next({ meterClosed: true, inFlight: 'interim' })).toEqual(final);
    expect(next({ meterClosed: true, inFlight: 'final' })).toBeNull();
    expect(next({ meterClosed: true, cumulativeSeconds: 5 })).toEqual({
      kind: 'final',
      cumulativeMicros: 10_000n,
    });
    expect(next({ meterClosed: true, cumulativeSeconds: 5_000 })).toEqual({
      kind: 'final',
      cumulativeMicros: 100_000n,
    });
  });

  it('is nothing of a lease that is not open on chain', () => {
    expect(next({ meterClosed: true, openedOnChain: false })).toBeNull();
    expect(next({ meterClosed: true, closedOnChain: true })).toBeNull();
  });

  it('is the whole refund when the market let go of it before it ran, and waits for the meter if it ran', () => {
    const unrun = { lapsed: true, meterStarted: false, cumulativeSeconds: 0, settledMicros: 0n };
    expect(next(unrun)).toEqual({ kind: 'final', cumulativeMicros: 0n });
    expect(next({ lapsed: true })).toEqual({ kind: 'interim', cumulativeMicros: 30_000n });
  });
});

it('attempts are spaced further and further apart, up to a minute', () => {
  expect([0, 1, 2, 5, 6, 50].map(retryDelayMs)).toEqual([1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
});
