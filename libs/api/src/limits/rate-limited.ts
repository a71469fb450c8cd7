import { DomainError } from '@gridbourse/kernel';

/** Too much was asked; the edge tells the caller when to come back. */
export class RateLimited extends DomainError {
  constructor(
    policy: string,
    /** When the same request would pass, if nothing else comes in between. */
    readonly retryAfterMs: number,
  ) {
    super(
      'exhausted',
      'rate_limited',
      `too many requests: the budget for ${policy} is spent; try again in ${Math.ceil(retryAfterMs / 1_000)} s`,
    );
  }
}
