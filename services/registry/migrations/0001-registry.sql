-- Read models of the registry (each a fold of its events), and what is deliberately no event: secrets by their hash,
-- the chain's stake logs, and telemetry.

CREATE TABLE api_key_details (
  api_key_id   text   PRIMARY KEY,
  account_id   text   NOT NULL,
  name         text   NOT NULL DEFAULT '',
  issued_at_ms bigint NOT NULL
);
CREATE INDEX api_key_details_page ON api_key_details (account_id, issued_at_ms, api_key_id);

CREATE TABLE providers (
  provider_id       text     PRIMARY KEY,
  account_id        text     NOT NULL,
  wallet            text     NOT NULL UNIQUE,
  name              text     NOT NULL,
  region            text     NOT NULL,
  place             jsonb    NOT NULL,
  attributes        jsonb    NOT NULL,
  staked            boolean  NOT NULL DEFAULT false,
  suspended         boolean  NOT NULL DEFAULT false,
  liveness          text     NOT NULL DEFAULT 'unseen'
                    CHECK (liveness IN ('unseen', 'online', 'unreachable', 'offline')),
  tier              smallint NOT NULL CHECK (tier BETWEEN 1 AND 7),
  chain_provider_id bigint,
  stake_micros      bigint   NOT NULL DEFAULT 0 CHECK (stake_micros >= 0),
  registered_at_ms  bigint   NOT NULL
);
CREATE INDEX providers_page ON providers (registered_at_ms, provider_id);

CREATE TABLE offers (
  offer_id               text    PRIMARY KEY,
  provider_id            text    NOT NULL REFERENCES providers,
  revision               int     NOT NULL,
  gpu_model              text,
  gpu                    jsonb,
  nodes                  jsonb   NOT NULL,
  node_count             int     NOT NULL,
  gpus_total             int     NOT NULL,
  per_gpu_micros         bigint  NOT NULL,
  per_cpu_core_micros    bigint  NOT NULL,
  per_memory_gib_micros  bigint  NOT NULL,
  per_storage_gib_micros bigint  NOT NULL,
  policy                 jsonb   NOT NULL,
  storage_classes        text[]  NOT NULL,
  withdrawn              boolean NOT NULL DEFAULT false,
  published_at_ms        bigint  NOT NULL
);
CREATE INDEX offers_provider ON offers (provider_id);
CREATE INDEX offers_live ON offers (offer_id) WHERE NOT withdrawn;

-- What was sealed and published last, recognisable without keeping it: a slow hash under a salt of its own.
CREATE TABLE provider_clusters (
  provider_id    text   PRIMARY KEY REFERENCES providers,
  sealing_key_id text   NOT NULL,
  salt           bytea  NOT NULL,
  digest         bytea  NOT NULL,
  attached_at_ms bigint NOT NULL
);

-- A nonce is a row until it is used or too old: using it deletes it.
CREATE TABLE login_nonces (
  nonce         text   PRIMARY KEY,
  expires_at_ms bigint NOT NULL
);
CREATE INDEX login_nonces_age ON login_nonces (expires_at_ms);

-- All refresh tokens that came of one login. A token used twice revokes its family.
CREATE TABLE refresh_families (
  family_id      text   PRIMARY KEY,
  account_id     text   NOT NULL,
  revoked_at_ms  bigint,
  revoked_reason text
);
CREATE TABLE refresh_tokens (
  token_hash    text   PRIMARY KEY,
  family_id     text   NOT NULL REFERENCES refresh_families ON DELETE CASCADE,
  expires_at_ms bigint NOT NULL,
  used_at_ms    bigint
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);

CREATE TABLE signing_keys (
  kid           text   PRIMARY KEY,
  public_key    jsonb  NOT NULL,
  -- Null for a key given by configuration. Encrypted when a secret for that is configured.
  private_key   jsonb,
  created_at_ms bigint NOT NULL
);

-- Logs of the ProviderRegistry contract about stake, kept until final, so that a retraction can be undone.
CREATE TABLE chain_stakes (
  block_hash        text   NOT NULL,
  log_index         int    NOT NULL,
  block_number      bigint NOT NULL,
  owner             text   NOT NULL,
  chain_provider_id bigint NOT NULL,
  -- Null: registered on chain, which says nothing about the stake.
  stake_micros      bigint,
  PRIMARY KEY (block_hash, log_index)
);
CREATE INDEX chain_stakes_owner ON chain_stakes (owner, block_number, log_index);

CREATE TABLE provider_sightings (
  provider_id     text   PRIMARY KEY,
  last_seen_at_ms bigint NOT NULL
);

-- Challenges whose outcome is known, by the minute in which they were sent.
CREATE TABLE challenge_minutes (
  era          bigint NOT NULL,
  provider_id  text   NOT NULL,
  minute_ms    bigint NOT NULL,
  sent         int    NOT NULL,
  answered     int    NOT NULL,
  response_ms  int[]  NOT NULL,
  PRIMARY KEY (era, provider_id, minute_ms)
);

CREATE TABLE closed_eras (
  era          bigint PRIMARY KEY,
  closed_at_ms bigint NOT NULL
);
