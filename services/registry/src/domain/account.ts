import {
  type AccountId,
  type ApiKeyId,
  conflict,
  type Decider,
  DomainError,
  type Instant,
  notFound,
} from '@gridbourse/kernel';
import type { RegistryAccountEvent } from './private-events.ts';

/** Usable keys an account may have at once. */
export const MAX_API_KEYS = 50;

export type ApiKeyState = { readonly expiresAtMs: Instant | null; readonly revoked: boolean };

export type AccountState = {
  readonly accountId: AccountId | null;
  readonly apiKeys: ReadonlyMap<ApiKeyId, ApiKeyState>;
};

export type AccountCommand =
  | { type: 'OpenAccount'; accountId: AccountId; wallet: string; name: string; atMs: Instant }
  | {
      type: 'IssueApiKey';
      apiKeyId: ApiKeyId;
      name: string;
      keyHash: string;
      scopes: readonly string[];
      /** What the caller itself holds: a key never grants more than its maker has. */
      callerScopes: readonly string[];
      expiresAtMs: Instant | null;
      atMs: Instant;
    }
  | { type: 'RevokeApiKey'; apiKeyId: ApiKeyId; atMs: Instant };

const usableKeys = (state: AccountState, now: Instant): number =>
  [...state.apiKeys.values()].filter(
    (key) => !key.revoked && (key.expiresAtMs === null || key.expiresAtMs > now),
  ).length;

const opened = (state: AccountState): AccountId => {
  if (state.accountId === null)
    throw new DomainError('not_found', 'account_not_found', 'there is no such account');
  return state.accountId;
};

const issueApiKey = (
  command: Extract<AccountCommand, { type: 'IssueApiKey' }>,
  state: AccountState,
): RegistryAccountEvent[] => {
  const accountId = opened(state);
  const { apiKeyId, name, keyHash, atMs, expiresAtMs } = command;
  const missing = command.scopes.filter((scope) => !command.callerScopes.includes(scope));
  if (missing.length > 0) {
    throw new DomainError(
      'forbidden',
      'scope_not_held',
      `a key cannot be given what its maker lacks: ${missing.join(', ')}`,
    );
  }
  if (state.apiKeys.has(apiKeyId)) throw conflict('api_key_exists', `the API key ${apiKeyId} exists already`);
  if (usableKeys(state, atMs) >= MAX_API_KEYS) {
    throw new DomainError(
      'exhausted',
      'too_many_api_keys',
      `an account has at most ${MAX_API_KEYS} usable API keys`,
    );
  }
  const scopes = [...new Set(command.scopes)];
  return [
    { type: 'ApiKeyIssued', accountId, apiKeyId, keyHash, scopes, expiresAtMs, issuedAtMs: atMs },
    { type: 'ApiKeyNamed', accountId, apiKeyId, name },
  ];
};

/** An account: opened once by a wallet, never closed; it issues and revokes API keys. */
export const account: Decider<AccountCommand, AccountState, RegistryAccountEvent> = {
  initial: { accountId: null, apiKeys: new Map() },

  decide: (command, state) => {
    switch (command.type) {
      case 'OpenAccount': {
        if (state.accountId !== null) return [];
        const { accountId, wallet, name, atMs } = command;
        return [{ type: 'AccountOpened', accountId, wallet, name, openedAtMs: atMs }];
      }
      case 'IssueApiKey':
        return issueApiKey(command, state);
      case 'RevokeApiKey': {
        const accountId = opened(state);
        const key = state.apiKeys.get(command.apiKeyId);
        if (!key) throw notFound('api_key', command.apiKeyId);
        if (key.revoked) return [];
        return [{ type: 'ApiKeyRevoked', accountId, apiKeyId: command.apiKeyId, revokedAtMs: command.atMs }];
      }
    }
  },

  evolve: (state, event) => {
    switch (event.type) {
      case 'AccountOpened':
        return { ...state, accountId: event.accountId };
      case 'ApiKeyIssued':
        return {
          ...state,
          apiKeys: new Map(state.apiKeys).set(event.apiKeyId, {
            expiresAtMs: event.expiresAtMs,
            revoked: false,
          }),
        };
      case 'ApiKeyRevoked': {
        const key = state.apiKeys.get(event.apiKeyId);
        if (!key) return state;
        return { ...state, apiKeys: new Map(state.apiKeys).set(event.apiKeyId, { ...key, revoked: true }) };
      }
      case 'ApiKeyNamed':
        return state;
    }
  },
};
