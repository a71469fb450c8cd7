/** Replicas of the registry's accounts and API keys, in every service's own database. */
export const authMigrationSql = `
CREATE TABLE accounts (
  account_id   text   PRIMARY KEY,
  wallet       text   NOT NULL UNIQUE,
  name         text   NOT NULL,
  opened_at_ms bigint NOT NULL
);
CREATE TABLE api_keys (
  api_key_id    text   PRIMARY KEY,
  account_id    text   NOT NULL,
  key_hash      text   NOT NULL UNIQUE,
  scopes        text[] NOT NULL,
  expires_at_ms bigint,
  revoked_at_ms bigint
);
CREATE INDEX api_keys_account ON api_keys (account_id);
`;
