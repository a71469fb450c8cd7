import type { AccountId, ApiKeyId } from '@gridbourse/kernel';
import { given } from '@gridbourse/testing';
import { describe, it } from '@jest/globals';
import { account, MAX_API_KEYS } from './account.ts';
import type { RegistryAccountEvent } from './private-events.ts';

const accountId = 'acc_00000000000000000000000001' as AccountId;
const keyId = (n: number): ApiKeyId => `key_${String(n).padStart(26, '0')}`;
const wallet = `0x${'a'.repeat(40)}`;

const opened: RegistryAccountEvent = { type: 'AccountOpened', accountId, wallet, name: 'a', openedAtMs: 1 };
const issued = (n: number, expiresAtMs: number | null = null): RegistryAccountEvent => ({
  type: 'ApiKeyIssued',
  accountId,
  apiKeyId: keyId(n),
  keyHash: 'f'.repeat(64),
  scopes: ['orders:read'],
  expiresAtMs,
  issuedAtMs: 1,
});
const revoked = (n: number): RegistryAccountEvent => ({
  type: 'ApiKeyRevoked',
  accountId,
  apiKeyId: keyId(n),
  revokedAtMs: 2,
});

const issue = (n: number, fields: { scopes?: string[]; callerScopes?: string[]; atMs?: number } = {}) => ({
  type: 'IssueApiKey' as const,
  apiKeyId: keyId(n),
  name: 'ci',
  keyHash: 'f'.repeat(64),
  scopes: ['orders:read'],
  callerScopes: ['orders:read', 'orders:write'],
  expiresAtMs: null,
  atMs: 1,
  ...fields,
});

describe('an account', () => {
  it('is opened once', () => {
    const open = { type: 'OpenAccount' as const, accountId, wallet, name: 'a', atMs: 1 };
    given(account, []).when(open).then([opened]);
    given(account, [opened]).when(open).thenNothing();
  });

  it('issues API keys that grant no more than their maker has', () => {
    given(account, [opened])
      .when(issue(1, { scopes: ['orders:read', 'orders:read'] }))
      .then([issued(1), { type: 'ApiKeyNamed', accountId, apiKeyId: keyId(1), name: 'ci' }]);
    given(account, [opened])
      .when(issue(1, { scopes: ['operator'] }))
      .thenRejected('scope_not_held');
    given(account, []).when(issue(1)).thenRejected('account_not_found');
    given(account, [opened, issued(1)])
      .when(issue(1))
      .thenRejected('api_key_exists');
  });

  it('limits usable keys; revoked and expired ones do not count', () => {
    const full = [opened, ...Array.from({ length: MAX_API_KEYS }, (_, n) => issued(n))];
    given(account, full).when(issue(99)).thenRejected('too_many_api_keys');
    given(account, [...full, revoked(3)])
      .when(issue(99))
      .then([issued(99), { type: 'ApiKeyNamed', accountId, apiKeyId: keyId(99), name: 'ci' }]);
    const expiring = [opened, ...Array.from({ length: MAX_API_KEYS }, (_, n) => issued(n, 50))];
    given(account, expiring)
      .when(issue(99, { atMs: 49 }))
      .thenRejected('too_many_api_keys');
    given(account, expiring)
      .when(issue(99, { atMs: 50 }))
      .then([
        { ...issued(99), issuedAtMs: 50 } as RegistryAccountEvent,
        { type: 'ApiKeyNamed', accountId, apiKeyId: keyId(99), name: 'ci' },
      ]);
  });

  it('revokes a key once, and only its own', () => {
    const revoke = { type: 'RevokeApiKey' as const, apiKeyId: keyId(1), atMs: 2 };
    given(account, [opened, issued(1)])
      .when(revoke)
      .then([revoked(1)]);
    given(account, [opened, issued(1), revoked(1)])
      .when(revoke)
      .thenNothing();
    given(account, [opened]).when(revoke).thenRejected('api_key_not_found');
  });
});
