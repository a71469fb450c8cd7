import { type Clock } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CLOCK } from '../service/tokens.ts';
import { AccountEntity } from './account.entity.ts';

/** A key with the account that holds it. */
export type KnownApiKey = {
  readonly apiKeyId: string;
  readonly accountId: string;
  readonly wallet: string;
  readonly scopes: readonly string[];
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
};

type ApiKeyRow = {
  api_key_id: string;
  account_id: string;
  wallet: string;
  scopes: string[];
  expires_at_ms: string | null;
  revoked_at_ms: string | null;
};

/** A revocation that another process of this service recorded is seen after so long at the latest. */
const KEY_CACHE_MS = 5_000;
const KEY_CACHE_LIMIT = 10_000;

/** Accounts and API keys as this service has heard of them. */
@Injectable()
export class AccountDirectory {
  private readonly keys = new Map<string, { key: KnownApiKey; untilMs: number }>();

  constructor(
    private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** The account of a wallet (any letter case), null when none is known here. */
  byWallet(wallet: string): Promise<AccountEntity | null> {
    return this.dataSource.getRepository(AccountEntity).findOneBy({ wallet: wallet.toLowerCase() });
  }

  /** The account of an id, null when none is known here. */
  byId(accountId: string): Promise<AccountEntity | null> {
    return this.dataSource.getRepository(AccountEntity).findOneBy({ accountId });
  }

  /** The API key of a SHA-256 hash (hexadecimal), revoked and expired ones included; null when none is known. */
  async keyByHash(keyHash: string): Promise<KnownApiKey | null> {
    const now = this.clock.now();
    const cached = this.keys.get(keyHash);
    if (cached && cached.untilMs > now) return cached.key;
    this.keys.delete(keyHash);
    const [row] = await this.dataSource.query<ApiKeyRow[]>(
      `SELECT k.api_key_id, k.account_id, a.wallet, k.scopes, k.expires_at_ms, k.revoked_at_ms
       FROM api_keys k JOIN accounts a USING (account_id) WHERE k.key_hash = $1`,
      [keyHash],
    );
    if (!row) return null;
    const key: KnownApiKey = {
      apiKeyId: row.api_key_id,
      accountId: row.account_id,
      wallet: row.wallet,
      scopes: row.scopes,
      expiresAtMs: row.expires_at_ms === null ? null : Number(row.expires_at_ms),
      revokedAtMs: row.revoked_at_ms === null ? null : Number(row.revoked_at_ms),
    };
    if (this.keys.size >= KEY_CACHE_LIMIT) this.keys.delete(this.keys.keys().next().value!);
    this.keys.set(keyHash, { key, untilMs: now + KEY_CACHE_MS });
    return key;
  }

  /** Drops what is remembered of a key, so that its revocation counts at once in this process. */
  forgetKey(apiKeyId: string): void {
    for (const [keyHash, { key }] of this.keys) if (key.apiKeyId === apiKeyId) this.keys.delete(keyHash);
  }
}
