import type { Instant } from '@gridbourse/kernel';

export type BreakerLimits = {
  /** More than this share of a cluster's workloads … */
  readonly share: number;
  /** … within so many milliseconds … */
  readonly windowMs: number;
  /** … is held for so many milliseconds before it is believed. */
  readonly holdMs: number;
};

/** So few are never a mass. */
const ALWAYS_ALLOWED = 3;

/**
 * Holds back conclusions that are drawn about many workloads of one cluster at once (all failed, all gone): that is more
 * often a fault of what is looked through than of what is looked at. After the hold the same conclusion passes.
 */
export class MassChangeBreaker {
  private readonly concluded: { readonly key: string; readonly atMs: Instant }[] = [];
  private heldSinceMs: Instant | null = null;

  constructor(private readonly limits: BreakerLimits) {}

  /** Whether this conclusion may be drawn now; an allowed one is counted. @param population workloads it is one of */
  allows(key: string, population: number, nowMs: Instant): boolean {
    const { share, windowMs, holdMs } = this.limits;
    while (this.concluded.length > 0 && nowMs - this.concluded[0]!.atMs >= windowMs) this.concluded.shift();
    if (this.heldSinceMs !== null) {
      if (nowMs - this.heldSinceMs < holdMs) return false;
      if (nowMs - this.heldSinceMs >= holdMs + windowMs) this.heldSinceMs = null;
      else return true;
    }
    const others = this.concluded.filter((each) => each.key !== key).length;
    if (others >= Math.max(ALWAYS_ALLOWED, Math.floor(population * share))) {
      this.heldSinceMs = nowMs;
      return false;
    }
    this.concluded.push({ key, atMs: nowMs });
    return true;
  }

  /** Since when conclusions are held; null while they are not. */
  heldSince(nowMs: Instant): Instant | null {
    return this.heldSinceMs !== null && nowMs - this.heldSinceMs < this.limits.holdMs
      ? this.heldSinceMs
      : null;
  }
}
