import {
  AccountDirectory,
  type Caller,
  CLOCK,
  hashApiKey,
  type PageQuery,
  RANDOM,
  toPage,
  decodeCursor,
} from '@gridbourse/api';
import { type ApiKeyId, type Clock, newId, type Random, rfc3339 } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { z } from 'zod';
import { secretText } from '../../adapters/secrets.ts';
import { Aggregates } from '../../aggregates/aggregates.ts';
import { accounts } from '../../aggregates/registry-aggregates.ts';
import type { apiKeyBody, apiKeyDto, issuedApiKeyDto } from './account.dto.ts';

type Row = {
  api_key_id: string;
  name: string;
  scopes: string[];
  expires_at_ms: string | null;
  revoked_at_ms: string | null;
  issued_at_ms: string;
};

/** Not handed to keys unless asked for by name: a key that can make keys is a key that cannot be revoked. */
const NOT_BY_DEFAULT = new Set(['accounts:write', 'operator']);

const LIST = `
  SELECT d.api_key_id, d.name, d.issued_at_ms, k.scopes, k.expires_at_ms, k.revoked_at_ms
  FROM api_key_details d JOIN api_keys k USING (api_key_id)
  WHERE d.account_id = $1 AND (d.issued_at_ms, d.api_key_id) > ($2, $3)
  ORDER BY d.issued_at_ms, d.api_key_id LIMIT $4`;

const timeOrNull = (text: string | null): string | null => (text === null ? null : rfc3339(Number(text)));

@Injectable()
export class ApiKeys {
  constructor(
    private readonly dataSource: DataSource,
    private readonly aggregates: Aggregates,
    private readonly directory: AccountDirectory,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(RANDOM) private readonly random: Random,
  ) {}

  /** @throws DomainError `scope_not_held`, `too_many_api_keys` */
  async issue(caller: Caller, body: z.output<typeof apiKeyBody>): Promise<z.input<typeof issuedApiKeyDto>> {
    const atMs = this.clock.now();
    const key = `gbk_${secretText()}`;
    const apiKeyId = newId('apiKey', atMs, this.random);
    const scopes = body.scopes ?? caller.scopes.filter((scope) => !NOT_BY_DEFAULT.has(scope));
    const expiresAtMs = atMs + body.expiresInSeconds * 1_000;
    await this.aggregates.execute(accounts, caller.accountId, [
      {
        type: 'IssueApiKey',
        apiKeyId,
        name: body.name,
        keyHash: hashApiKey(key),
        scopes,
        callerScopes: caller.scopes,
        expiresAtMs,
        atMs,
      },
    ]);
    return { apiKeyId, key, name: body.name, scopes: [...scopes], expiresAt: rfc3339(expiresAtMs) };
  }

  async list(
    accountId: string,
    query: PageQuery,
  ): Promise<{ items: z.input<typeof apiKeyDto>[]; nextCursor: string | null }> {
    const [issuedAtMs, apiKeyId] = decodeCursor(query.cursor, ['bigint', 'text']) ?? [0, ''];
    const rows = await this.dataSource.query<Row[]>(LIST, [accountId, issuedAtMs, apiKeyId, query.limit + 1]);
    return toPage(
      rows,
      query.limit,
      (row) => [Number(row.issued_at_ms), row.api_key_id],
      (row) => ({
        apiKeyId: row.api_key_id,
        name: row.name,
        scopes: row.scopes,
        expiresAt: timeOrNull(row.expires_at_ms),
        issuedAt: rfc3339(Number(row.issued_at_ms)),
        revokedAt: timeOrNull(row.revoked_at_ms),
      }),
    );
  }

  /** @throws DomainError `api_key_not_found`, also for another account's key */
  async revoke(accountId: string, apiKeyId: ApiKeyId): Promise<void> {
    await this.aggregates.execute(accounts, accountId, [
      { type: 'RevokeApiKey', apiKeyId, atMs: this.clock.now() },
    ]);
    this.directory.forgetKey(apiKeyId);
  }
}
