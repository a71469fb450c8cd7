import type { Instant } from '@gridbourse/kernel';

/** What billing knows of the running time of a lease, and from when on it goes on counting by its own clock. */
export type Meter = {
  /** Whole seconds on record. */
  readonly cumulativeSeconds: number;
  /** End of the last recorded window. */
  readonly countedToMs: Instant | null;
  /** The workload runs, and no record covers the time after this instant; null while it is not known to run. */
  readonly runningFromMs: Instant | null;
  /** When replicas were seen not to run; null when only sight was lost. */
  readonly degradedAtMs: Instant | null;
  readonly closed: boolean;
};

export const newMeter: Meter = {
  cumulativeSeconds: 0,
  countedToMs: null,
  runningFromMs: null,
  degradedAtMs: null,
  closed: false,
};

/**
 * The workload runs. After mere loss of sight the time in between counts as run (the cluster says since when); after a
 * degradation only what follows counts.
 */
export const meterRuns = (meter: Meter, event: { runningSinceMs: Instant; atMs: Instant }): Meter => {
  if (meter.closed || meter.runningFromMs !== null) return meter;
  const notBefore = meter.degradedAtMs === null ? event.runningSinceMs : event.atMs;
  return {
    ...meter,
    runningFromMs: Math.max(event.runningSinceMs, notBefore, meter.countedToMs ?? 0),
    degradedAtMs: null,
  };
};

export const meterPauses = (meter: Meter, degradedAtMs: Instant | null): Meter => ({
  ...meter,
  runningFromMs: null,
  degradedAtMs: degradedAtMs ?? meter.degradedAtMs,
});

/** Records may come late or twice: the largest cumulative count is the truth, whichever comes last. */
export const meterCounts = (
  meter: Meter,
  window: { windowEndMs: Instant; cumulativeSeconds: number },
): Meter =>
  meter.closed
    ? meter
    : {
        ...meter,
        cumulativeSeconds: Math.max(meter.cumulativeSeconds, window.cumulativeSeconds),
        countedToMs: Math.max(meter.countedToMs ?? 0, window.windowEndMs),
        runningFromMs:
          meter.runningFromMs === null ? null : Math.max(meter.runningFromMs, window.windowEndMs),
      };

/** The last word, also where it is less than what was recorded before. */
export const meterCloses = (meter: Meter, totalSeconds: number): Meter => ({
  ...meter,
  cumulativeSeconds: totalSeconds,
  runningFromMs: null,
  closed: true,
});
