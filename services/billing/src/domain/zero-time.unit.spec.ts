import { describe, expect, it } from '@jest/globals';
import { earnedMicros, lockMicros } from '@gridbourse/kernel';
import fc from 'fast-check';
import { type Meter, meterCloses, meterCounts, meterPauses, meterRuns, newMeter } from './meter.ts';
import { type LeaseTerms, paidSeconds, ratedMicros, termsNow, unchangedLock } from './rating.ts';
import {
  type Alarm,
  type Alarms,
  dueAlarms,
  nextAlarmAtMs,
  rewound,
  type Runway,
  WARNINGS_SECONDS,
  zeroTimeAtMs,
} from './zero-time.ts';

const termsOf = (rateMicrosPerHour: bigint, durationSeconds: number): LeaseTerms => ({
  rateMicrosPerHour,
  durationSeconds,
  lockMicros: lockMicros(rateMicrosPerHour, BigInt(durationSeconds)),
});
const runway = (terms: LeaseTerms, meter: Meter, stopsAtMs: number | null = null): Runway => ({
  terms,
  meter,
  stopsAtMs,
});
const terms = fc
  .tuple(fc.bigInt({ min: 1n, max: 10n ** 12n }), fc.integer({ min: 1, max: 40_000_000 }))
  .map(([rate, seconds]) => termsOf(rate, seconds));

describe('rating', () => {
  it('pays the whole duration and never more than the lock', () => {
    fc.assert(
      fc.property(terms, fc.nat(50_000_000), (agreed, seconds) => {
        expect(paidSeconds(agreed)).toBe(agreed.durationSeconds);
        const rated = ratedMicros(agreed, seconds);
        expect(rated <= agreed.lockMicros).toBe(true);
        if (seconds <= agreed.durationSeconds) {
          expect(rated).toBe(earnedMicros(agreed.rateMicrosPerHour, BigInt(seconds)));
        }
      }),
    );
  });

  it('never pays more than the lock that a stop has left, nor less than time had earned by then', () => {
    fc.assert(
      fc.property(
        terms,
        fc.nat(50_000_000),
        fc.nat(50_000_000),
        fc.nat(40_000_000),
        (agreed, seconds, stopped, added) => {
          const addedMicros = added === 0 ? 0n : lockMicros(agreed.rateMicrosPerHour, BigInt(added));
          const lock = agreed.lockMicros + addedMicros;
          const earned = earnedMicros(agreed.rateMicrosPerHour, BigInt(stopped));
          const kept = earned < lock ? earned : lock;
          const now = termsNow(agreed, { addedMicros, freedMicros: lock - kept, stopsAtMs: 1 });
          expect(now.lockMicros).toBe(kept);
          const rated = ratedMicros(now, seconds);
          expect(rated <= kept).toBe(true);
          if (seconds <= stopped) expect(rated).toBe(ratedMicros({ ...agreed, lockMicros: lock }, seconds));
        },
      ),
    );
  });

  it('does not drift when paid in any number of cumulative steps', () => {
    fc.assert(
      fc.property(terms, fc.array(fc.nat(100_000), { maxLength: 50 }), (agreed, windows) => {
        let seconds = 0;
        let paid = 0n;
        for (const window of windows) {
          seconds += window;
          paid += ratedMicros(agreed, seconds) - paid;
        }
        expect(paid).toBe(ratedMicros(agreed, seconds));
      }),
    );
  });
});

describe('the meter', () => {
  const running = meterRuns(newMeter, { runningSinceMs: 10_000, atMs: 10_500 });

  it('takes windows late, twice and in any order', () => {
    const windows = [1, 2, 3].map((n) => ({ windowEndMs: 10_000 + n * 5_000, cumulativeSeconds: n * 5 }));
    const straight = windows.reduce(meterCounts, running);
    fc.assert(
      fc.property(fc.shuffledSubarray([...windows, ...windows], { minLength: 6 }), (shuffled) => {
        expect(shuffled.reduce(meterCounts, running)).toEqual(straight);
      }),
    );
    expect(straight).toMatchObject({ cumulativeSeconds: 15, runningFromMs: 25_000 });
  });

  it('counts the time out of sight once the cluster says it ran, and no time of degradation', () => {
    const counted = meterCounts(running, { windowEndMs: 20_000, cumulativeSeconds: 10 });
    const back = { runningSinceMs: 10_000, atMs: 60_000 };
    expect(meterRuns(meterPauses(counted, null), back).runningFromMs).toBe(20_000);
    expect(meterRuns(meterPauses(counted, 21_000), back).runningFromMs).toBe(60_000);
    expect(meterRuns(running, back)).toBe(running);
  });

  it('is final once closed', () => {
    const closed = meterCloses(running, 7);
    expect(meterCounts(closed, { windowEndMs: 99_000, cumulativeSeconds: 50 })).toBe(closed);
    expect(meterRuns(closed, { runningSinceMs: 1, atMs: 2 })).toBe(closed);
    expect(zeroTimeAtMs(runway(termsOf(1n, 10), closed, 1))).toBeNull();
  });
});

describe('zero-time', () => {
  const agreed = termsOf(3_600_000n, 7_200);
  const running: Meter = { ...newMeter, runningFromMs: 1_000_000 };

  it('is when the lock is used up, and moves with what was counted', () => {
    expect(zeroTimeAtMs(runway(agreed, running))).toBe(1_000_000 + 7_200_000);
    const counted = meterCounts(running, { windowEndMs: 2_000_000, cumulativeSeconds: 1_000 });
    expect(zeroTimeAtMs(runway(agreed, counted))).toBe(2_000_000 + 6_200_000);
    expect(zeroTimeAtMs(runway(agreed, newMeter))).toBeNull();
  });

  it('is not later than the stop of a lease, and comes sooner where the lock does not reach so far', () => {
    expect(zeroTimeAtMs(runway(agreed, running, 3_000_000))).toBe(3_000_000);
    expect(zeroTimeAtMs(runway(agreed, running, 9_000_000))).toBe(8_200_000);
    expect(zeroTimeAtMs(runway(agreed, newMeter, 3_000_000))).toBeNull();
    const end = dueAlarms(
      runway(agreed, running, 3_000_000),
      { warnedSeconds: null, exhausted: false },
      3_000_000,
    );
    expect(end).toEqual({
      alarms: { warnedSeconds: null, exhausted: true },
      due: [{ type: 'EscrowExhausted', zeroTimeAtMs: 3_000_000 }],
    });
  });

  it('moves with an extension by what it paid for, to the whole second', () => {
    const extended = termsNow(agreed, { ...unchangedLock, addedMicros: 3_600_999n });
    expect(extended.lockMicros).toBe(agreed.lockMicros + 3_600_999n);
    expect(zeroTimeAtMs(runway(extended, running))).toBe(zeroTimeAtMs(runway(agreed, running))! + 3_600_000);
    expect(
      termsNow({ ...agreed, rateMicrosPerHour: 0n }, { ...unchangedLock, addedMicros: 1n }),
    ).toMatchObject({
      durationSeconds: 7_200,
    });
  });

  it('that has moved is warned of again, but not of a moment that has passed', () => {
    const extended = termsNow(agreed, { ...unchangedLock, addedMicros: 3_600_000n });
    const warned = { warnedSeconds: 600, exhausted: false };
    // Ten minutes before the old end: the new one is 70 minutes away.
    const rewoundNow = rewound(runway(extended, running), warned, 7_600_000);
    expect(rewoundNow).toEqual({ warnedSeconds: null, exhausted: false });
    expect(dueAlarms(runway(extended, running), rewoundNow, 7_600_000).due).toEqual([]);
    expect(nextAlarmAtMs(runway(extended, running), rewoundNow)).toBe(8_200_000);
    expect(rewound(runway(extended, running), warned, 9_000_000)).toEqual({
      warnedSeconds: 3_600,
      exhausted: false,
    });
    expect(rewound(runway(extended, running), { warnedSeconds: 600, exhausted: true }, 0).exhausted).toBe(
      true,
    );
  });

  it('warns only of what is shorter than the lease', () => {
    expect(nextAlarmAtMs(runway(agreed, running), { warnedSeconds: null, exhausted: false })).toBe(
      8_200_000 - 3_600_000,
    );
    expect(nextAlarmAtMs(runway(termsOf(1n, 600), running), { warnedSeconds: null, exhausted: false })).toBe(
      1_600_000,
    );
  });

  it('gives each warning and the end exactly once, at whatever moments the clock is looked at', () => {
    const looks = fc.array(fc.integer({ min: 0, max: 200_000_000 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(terms, looks, (lease, times) => {
        let alarms: Alarms = { warnedSeconds: null, exhausted: false };
        const meter: Meter = { ...newMeter, runningFromMs: 0 };
        const zero = zeroTimeAtMs(runway(lease, meter))!;
        const rung: Alarm[] = [];
        const sorted = times.toSorted((a, b) => a - b);
        for (const now of sorted) {
          const next = nextAlarmAtMs(runway(lease, meter), alarms);
          const result = dueAlarms(runway(lease, meter), alarms, now);
          expect(result.due.length > 0).toBe(next !== null && next <= now);
          alarms = result.alarms;
          rung.push(...result.due);
          expect(dueAlarms(runway(lease, meter), alarms, now).due).toEqual([]);
        }
        const ended = sorted.some((now) => now >= zero);
        expect(rung.filter((alarm) => alarm.type === 'EscrowExhausted')).toHaveLength(ended ? 1 : 0);
        const lastBefore = sorted.filter((now) => now < zero).at(-1) ?? -1;
        const expected = WARNINGS_SECONDS.filter(
          (w) => w < lease.durationSeconds && zero - w * 1_000 <= lastBefore,
        );
        expect(rung.filter((alarm) => alarm.type === 'EscrowLow')).toHaveLength(expected.length);
      }),
    );
  });
});
