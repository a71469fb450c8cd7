/** Milliseconds since the Unix epoch, UTC. Integers only. */
export type Instant = number;

/** The only way code learns the time; tests hand in their own. */
export interface Clock {
  now(): Instant;
}

export const systemClock: Clock = { now: () => Date.now() };

/** A clock that moves only when told to. */
export class ManualClock implements Clock {
  private current: Instant;

  constructor(start: Instant) {
    this.current = start;
  }

  now(): Instant {
    return this.current;
  }

  advance(milliseconds: number): Instant {
    this.current += milliseconds;
    return this.current;
  }
}

/** RFC 3339 in UTC, the form every API of ours shows. */
export const rfc3339 = (instant: Instant): string => new Date(instant).toISOString();
