import { isStoreTrouble } from './errors.ts';
import type { KeyValue, RatePolicy, Spent } from './port.ts';

/** A policy as callers are told of it. */
export type NamedPolicy = RatePolicy & {
  /** Lower case letters, digits and dashes. */
  readonly name: string;
};

export type RateDecision = Spent & {
  readonly policy: NamedPolicy;
  /** False: nobody counted, because the store was away or full, and the call was let through. */
  readonly enforced: boolean;
};

/**
 * One budget for each subject. Fails open: a store that is away must not take the platform with it, so calls are let
 * through uncounted, and `failedOpen` hears of each (make it an alarm).
 */
export class RateLimiter {
  constructor(
    private readonly store: Pick<KeyValue, 'spend'>,
    /** What tells the budgets of this limiter from others of the same store. */
    private readonly scope: string,
    readonly policy: NamedPolicy,
    private readonly failedOpen: (error: Error) => void,
  ) {}

  /**
   * @param subject who spends: an account, an address; visible ASCII
   * @param cost whole units, at most the quota
   * @throws DomainError `invalid_key`, `invalid_cost`, `cost_above_quota`
   */
  async spend(subject: string, cost = 1): Promise<RateDecision> {
    const { policy } = this;
    try {
      const spent = await this.store.spend(`${this.scope}/${policy.name}/${subject}`, policy, cost);
      return { ...spent, policy, enforced: true };
    } catch (error) {
      if (!isStoreTrouble(error)) throw error;
      this.failedOpen(error);
      const { quota: remaining } = policy;
      return { allowed: true, remaining, resetMs: 0, retryAfterMs: 0, policy, enforced: false };
    }
  }
}
