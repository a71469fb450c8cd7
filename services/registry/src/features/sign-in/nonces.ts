import { CLOCK, KEY_VALUE, SERVICE_CONFIG } from '@gridbourse/api';
import { type Clock, DomainError, type Instant } from '@gridbourse/kernel';
import { type KeyValue, OneTimeTokens, RateLimiter } from '@gridbourse/key-value';
import { Inject, Injectable } from '@nestjs/common';
import type { RegistryConfig } from '../../registry.config.ts';

/** One budget for everybody: what it bounds is the store, not a caller. */
const EVERYBODY = 'all';

/**
 * Nonces of sign-in messages: ours, good for a few minutes, and for one use, whichever instance of the registry is asked.
 * Kept in the key-value store, because anybody may ask for one and none needs to outlive a quarter of an hour.
 */
@Injectable()
export class Nonces {
  private readonly tokens: OneTimeTokens;
  private readonly budget: RateLimiter;

  constructor(
    @Inject(KEY_VALUE) store: KeyValue,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: Pick<RegistryConfig, 'nonceTtlMs' | 'maxOpenNonces'>,
  ) {
    const { nonceTtlMs, maxOpenNonces } = config;
    this.tokens = new OneTimeTokens(store, { scope: 'registry/nonces', ttlMs: nonceTtlMs });
    // A budget gains at most one unit a microsecond.
    const policy = {
      name: 'nonces',
      quota: Math.min(maxOpenNonces, nonceTtlMs * 1_000),
      windowMs: nonceTtlMs,
    };
    // Where the store is away the nonce itself cannot be kept, which fails closed.
    this.budget = new RateLimiter(store, 'registry', policy, () => undefined);
  }

  /** @throws DomainError `too_many_sign_ins`, `key_value_unavailable`, `key_value_full` */
  async issue(): Promise<{ nonce: string; expiresAtMs: Instant }> {
    const { allowed } = await this.budget.spend(EVERYBODY);
    if (!allowed) {
      throw new DomainError(
        'exhausted',
        'too_many_sign_ins',
        'too many sign-ins are open; try again in a minute',
      );
    }
    const expiresAtMs = this.clock.now() + this.config.nonceTtlMs;
    return { nonce: await this.tokens.issue(), expiresAtMs };
  }

  /**
   * Uses a nonce up. Of any number of callers with the same nonce, one succeeds.
   * @throws DomainError `nonce_unknown`: never issued, used, or expired; `key_value_unavailable`: ask for a new one later
   */
  async consume(nonce: string): Promise<void> {
    if ((await this.tokens.consume(nonce)) === null) {
      throw new DomainError(
        'unauthenticated',
        'nonce_unknown',
        'the nonce was not issued by us, was used, or has expired',
      );
    }
  }
}
