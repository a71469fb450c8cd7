import type { UsageRecorded } from '@gridbourse/events';
import type { Instant, LeaseId } from '@gridbourse/kernel';

/**
 * Counts healthy running time. A stretch is open while the same containers are known to run; windows are cut from its
 * front, so no instant can be in two of them. Only whole windows are recorded, at an instant that the cluster vouched
 * for; what lies behind that instant waits for the next proof.
 */
export type MeterState = {
  /** Exact sum of all windows so far; whole seconds are taken from this sum, so that fractions are never lost. */
  readonly healthyMs: number;
  /** floor(healthyMs / 1000), never above the lease's duration. */
  readonly cumulativeSeconds: number;
  /** Healthy time that no window has yet: since when, and of which containers. */
  readonly open: { readonly sinceMs: Instant; readonly incarnation: string } | null;
  /** End of the last window: nothing before it is ever counted again. */
  readonly recordedUntilMs: Instant;
  readonly closed: boolean;
};

export const newMeter: MeterState = {
  healthyMs: 0,
  cumulativeSeconds: 0,
  open: null,
  recordedUntilMs: 0,
  closed: false,
};

/**
 * The window from the front of the open stretch up to `untilMs`, cut off where the lease's duration is used up.
 * @returns null when there is nothing to record: no open stretch, no time passed, or the duration is used up
 */
export const nextWindow = (
  meter: MeterState,
  options: { leaseId: LeaseId; untilMs: Instant; durationSeconds: number },
): UsageRecorded | null => {
  if (meter.closed || !meter.open) return null;
  const { sinceMs } = meter.open;
  const leftMs = options.durationSeconds * 1_000 - meter.healthyMs;
  const endMs = Math.min(options.untilMs, sinceMs + leftMs);
  if (endMs <= sinceMs) return null;
  const cumulativeSeconds = Math.floor((meter.healthyMs + endMs - sinceMs) / 1_000);
  return {
    type: 'UsageRecorded',
    leaseId: options.leaseId,
    usageId: `${options.leaseId}/${sinceMs}`,
    windowStartMs: sinceMs,
    windowEndMs: endMs,
    seconds: cumulativeSeconds - meter.cumulativeSeconds,
    cumulativeSeconds,
  };
};

export const withWindow = (meter: MeterState, window: UsageRecorded): MeterState => ({
  ...meter,
  healthyMs: meter.healthyMs + window.windowEndMs - window.windowStartMs,
  cumulativeSeconds: window.cumulativeSeconds,
  recordedUntilMs: window.windowEndMs,
  open: meter.open && { ...meter.open, sinceMs: window.windowEndMs },
});

export const withOpened = (meter: MeterState, sinceMs: Instant, incarnation: string): MeterState => ({
  ...meter,
  open: { sinceMs: Math.max(sinceMs, meter.recordedUntilMs), incarnation },
});

export const withPaused = (meter: MeterState): MeterState => (meter.open ? { ...meter, open: null } : meter);

export const withClosed = (meter: MeterState): MeterState => ({ ...meter, open: null, closed: true });
