import { CLOCK, SERVICE_CONFIG } from '@gridbourse/api';
import { type Clock, DomainError, type Instant } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { secretHex } from '../../adapters/secrets.ts';
import type { RegistryConfig } from '../../registry.config.ts';

/** Nonces of sign-in messages: ours, good for a few minutes, and for one use. */
@Injectable()
export class Nonces {
  private open = 0;

  constructor(
    private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: Pick<RegistryConfig, 'nonceTtlMs' | 'maxOpenNonces'>,
  ) {}

  /** @throws DomainError `too_many_sign_ins` when too many nonces wait to be used */
  async issue(): Promise<{ nonce: string; expiresAtMs: Instant }> {
    if (this.open >= this.config.maxOpenNonces) {
      throw new DomainError(
        'exhausted',
        'too_many_sign_ins',
        'too many sign-ins are open; try again in a minute',
      );
    }
    this.open += 1;
    const nonce = secretHex();
    const expiresAtMs = this.clock.now() + this.config.nonceTtlMs;
    await this.dataSource.query('INSERT INTO login_nonces (nonce, expires_at_ms) VALUES ($1, $2)', [
      nonce,
      expiresAtMs,
    ]);
    return { nonce, expiresAtMs };
  }

  /**
   * Uses a nonce up. Of any number of callers with the same nonce, one succeeds.
   * @throws DomainError `nonce_unknown`: never issued, used, or expired
   */
  async consume(nonce: string): Promise<void> {
    const [rows] = await this.dataSource.query<[{ expires_at_ms: string }[], number]>(
      'DELETE FROM login_nonces WHERE nonce = $1 RETURNING expires_at_ms',
      [nonce],
    );
    const row = rows[0];
    if (!row || Number(row.expires_at_ms) <= this.clock.now()) {
      throw new DomainError(
        'unauthenticated',
        'nonce_unknown',
        'the nonce was not issued by us, was used, or has expired',
      );
    }
  }

  /** Forgets expired nonces, and counts the rest. */
  async sweep(): Promise<void> {
    await this.dataSource.query('DELETE FROM login_nonces WHERE expires_at_ms <= $1', [this.clock.now()]);
    const [row] = await this.dataSource.query<{ open: string }[]>(
      'SELECT count(*) AS open FROM login_nonces',
    );
    this.open = Number(row?.open ?? 0);
  }
}
