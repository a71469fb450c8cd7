import type { Instant } from '@gridbourse/kernel';
import type { Meter } from './meter.ts';
import { type LeaseTerms, paidSeconds } from './rating.ts';

/** How long before zero-time a tenant is warned, in seconds: 24 h, 1 h, 10 min. */
export const WARNINGS_SECONDS = [86_400, 3_600, 600] as const;

export type Alarms = {
  /** The smallest warning that was already given; null before the first. */
  readonly warnedSeconds: number | null;
  readonly exhausted: boolean;
};

/** What of a lease its zero-time follows from, as the chain has it now. */
export type Runway = {
  readonly terms: LeaseTerms;
  readonly meter: Meter;
  /** A stopped lease earns nothing after this instant. */
  readonly stopsAtMs: Instant | null;
};

/**
 * When the lock of a running lease is used up, or it was stopped for, whichever comes first; null while it does not run
 * or its meter is closed.
 */
export const zeroTimeAtMs = ({ terms, meter, stopsAtMs }: Runway): Instant | null => {
  if (meter.closed || meter.runningFromMs === null) return null;
  const usedUpAtMs = meter.runningFromMs + Math.max(0, paidSeconds(terms) - meter.cumulativeSeconds) * 1_000;
  return stopsAtMs === null ? usedUpAtMs : Math.min(usedUpAtMs, stopsAtMs);
};

/** Warnings still to be given: those shorter than the lease itself, longest first. */
const openWarnings = (terms: LeaseTerms, alarms: Alarms): number[] =>
  WARNINGS_SECONDS.filter(
    (warning) =>
      warning < paidSeconds(terms) && (alarms.warnedSeconds === null || warning < alarms.warnedSeconds),
  );

/** When somebody has to look at the lease again; null when nothing will come. */
export const nextAlarmAtMs = (runway: Runway, alarms: Alarms): Instant | null => {
  const zero = zeroTimeAtMs(runway);
  if (zero === null || alarms.exhausted) return null;
  const [next] = openWarnings(runway.terms, alarms);
  return next === undefined ? zero : zero - next * 1_000;
};

/**
 * After zero-time has moved: warnings that lie ahead again are given again, those whose moment has passed are not. What
 * has ended stays ended.
 */
export const rewound = (runway: Runway, alarms: Alarms, now: Instant): Alarms => {
  const zero = zeroTimeAtMs(runway);
  if (zero === null || alarms.exhausted || alarms.warnedSeconds === null) return alarms;
  const fresh = { ...alarms, warnedSeconds: null };
  const passed = openWarnings(runway.terms, fresh).filter((warning) => zero - warning * 1_000 <= now);
  return { ...fresh, warnedSeconds: passed.at(-1) ?? null };
};

export type Alarm =
  | { type: 'EscrowLow'; secondsLeft: number; zeroTimeAtMs: Instant }
  | { type: 'EscrowExhausted'; zeroTimeAtMs: Instant };

/**
 * What is due now. Warnings that were slept through are given late while there is something to warn of; after
 * zero-time only the end is told.
 */
export const dueAlarms = (
  runway: Runway,
  alarms: Alarms,
  now: Instant,
): { alarms: Alarms; due: readonly Alarm[] } => {
  const zero = zeroTimeAtMs(runway);
  if (zero === null || alarms.exhausted) return { alarms, due: [] };
  if (zero <= now) {
    return { alarms: { ...alarms, exhausted: true }, due: [{ type: 'EscrowExhausted', zeroTimeAtMs: zero }] };
  }
  const passed = openWarnings(runway.terms, alarms).filter((warning) => zero - warning * 1_000 <= now);
  return {
    alarms: { ...alarms, warnedSeconds: passed.at(-1) ?? alarms.warnedSeconds },
    due: passed.map(() => ({
      type: 'EscrowLow',
      secondsLeft: Math.ceil((zero - now) / 1_000),
      zeroTimeAtMs: zero,
    })),
  };
};
