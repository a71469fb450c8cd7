import { CLOCK, SERVICE_CONFIG } from '@gridbourse/api';
import { type Clock, DomainError } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { secretHex, secretText, sha256Hex } from '../../adapters/secrets.ts';
import type { RegistryConfig } from '../../registry.config.ts';

type Row = {
  family_id: string;
  account_id: string;
  expires_at_ms: string;
  used_at_ms: string | null;
  revoked_at_ms: string | null;
};
type Rotation =
  { account: string; token: string } | { refused: 'invalid' | 'expired' | 'revoked' | 'reused' };

const PREFIX = 'gbr_';
const REFUSALS = {
  invalid: 'the refresh token is not one of ours',
  expired: 'the refresh token has expired: sign in again',
  revoked: 'the session was ended: sign in again',
  reused: 'the refresh token was used before: the session is ended, sign in again',
} as const;

/**
 * Refresh tokens: hashed, good for one use each. All that come of one login are a family; a token that is used twice
 * was copied, and since nobody can tell thief from owner the whole family is revoked.
 */
@Injectable()
export class RefreshTokens {
  constructor(
    private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: Pick<RegistryConfig, 'refreshTokenSeconds'>,
  ) {}

  /** Begins a family. */
  begin(accountId: string): Promise<string> {
    return this.dataSource.transaction(async (manager) => {
      const familyId = secretHex();
      await manager.query('INSERT INTO refresh_families (family_id, account_id) VALUES ($1, $2)', [
        familyId,
        accountId,
      ]);
      return this.add(manager, familyId);
    });
  }

  /** @throws DomainError `refresh_token_invalid`, `…_expired`, `…_revoked`, `…_reused` */
  async rotate(token: string): Promise<{ accountId: string; refreshToken: string }> {
    // What a refusal writes (a revocation) must be committed, so the error is thrown outside.
    const rotation = await this.dataSource.transaction((manager) => this.rotateWithin(manager, token));
    if ('refused' in rotation) {
      throw new DomainError(
        'unauthenticated',
        `refresh_token_${rotation.refused}`,
        REFUSALS[rotation.refused],
      );
    }
    return { accountId: rotation.account, refreshToken: rotation.token };
  }

  /** Ends the family of a token. Tells nobody whether there was one. */
  async revoke(token: string): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      const row = await this.find(manager, token);
      if (row) await this.revokeFamily(manager, row.family_id, 'logout');
    });
  }

  /** Forgets families of which every token expired more than a day ago. */
  async sweep(): Promise<void> {
    await this.dataSource.query(
      `DELETE FROM refresh_families f WHERE NOT EXISTS
         (SELECT 1 FROM refresh_tokens t WHERE t.family_id = f.family_id AND t.expires_at_ms > $1)`,
      [this.clock.now() - 86_400_000],
    );
  }

  private async rotateWithin(manager: EntityManager, token: string): Promise<Rotation> {
    const row = await this.find(manager, token);
    if (!row) return { refused: 'invalid' };
    if (row.revoked_at_ms !== null) return { refused: 'revoked' };
    if (row.used_at_ms !== null) {
      await this.revokeFamily(manager, row.family_id, 'reuse');
      return { refused: 'reused' };
    }
    if (Number(row.expires_at_ms) <= this.clock.now()) return { refused: 'expired' };
    await manager.query('UPDATE refresh_tokens SET used_at_ms = $2 WHERE token_hash = $1', [
      sha256Hex(token),
      this.clock.now(),
    ]);
    return { account: row.account_id, token: await this.add(manager, row.family_id) };
  }

  /** Locks family and token, so that two uses of one token come one after the other. */
  private async find(manager: EntityManager, token: string): Promise<Row | undefined> {
    if (!token.startsWith(PREFIX)) return undefined;
    const [row] = await manager.query<Row[]>(
      `SELECT t.family_id, f.account_id, t.expires_at_ms, t.used_at_ms, f.revoked_at_ms
       FROM refresh_tokens t JOIN refresh_families f USING (family_id) WHERE t.token_hash = $1 FOR UPDATE`,
      [sha256Hex(token)],
    );
    return row;
  }

  private async add(manager: EntityManager, familyId: string): Promise<string> {
    const token = `${PREFIX}${secretText()}`;
    await manager.query(
      'INSERT INTO refresh_tokens (token_hash, family_id, expires_at_ms) VALUES ($1, $2, $3)',
      [sha256Hex(token), familyId, this.clock.now() + this.config.refreshTokenSeconds * 1_000],
    );
    return token;
  }

  private async revokeFamily(manager: EntityManager, familyId: string, reason: string): Promise<void> {
    await manager.query(
      `UPDATE refresh_families SET revoked_at_ms = $2, revoked_reason = $3
       WHERE family_id = $1 AND revoked_at_ms IS NULL`,
      [familyId, this.clock.now(), reason],
    );
  }
}
