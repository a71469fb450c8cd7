-- The chain's word as the indexer tells it: what ledger and settlements follow from, and one of the three sides of the
-- reconciliation.
CREATE TABLE chain_logs (
  chain_id       bigint NOT NULL,
  block_hash     text   NOT NULL,
  log_index      int    NOT NULL,
  state          text   NOT NULL CHECK (state IN ('pending', 'finalized', 'retracted')),
  -- How often this very block came back after a reorg had taken it away.
  incarnation    int    NOT NULL DEFAULT 0,
  block_number   bigint NOT NULL,
  block_time_ms  bigint NOT NULL,
  tx_hash        text   NOT NULL,
  name           text   NOT NULL,
  tenant         text,
  log            jsonb  NOT NULL,
  heard_at_ms    bigint NOT NULL,
  PRIMARY KEY (chain_id, block_hash, log_index)
);
CREATE INDEX chain_logs_tenant ON chain_logs (tenant, name, block_number, log_index) WHERE tenant IS NOT NULL;
CREATE INDEX chain_logs_head ON chain_logs (block_number);

-- One row for each lease that a log speaks of.
CREATE TABLE chain_lease_rows (
  chain_id              bigint NOT NULL,
  block_hash            text   NOT NULL,
  log_index             int    NOT NULL,
  row_index             int    NOT NULL,
  lease_key             text   NOT NULL,
  kind                  text   NOT NULL CHECK (kind IN ('opened', 'settled', 'skipped', 'closed')),
  live                  boolean NOT NULL,
  lease_ref             text,
  tenant                text,
  chain_provider_id     bigint,
  rate_micros_per_hour  bigint,
  lock_micros           bigint,
  paid_micros           bigint NOT NULL DEFAULT 0,
  refunded_micros       bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (chain_id, block_hash, log_index, row_index),
  FOREIGN KEY (chain_id, block_hash, log_index) REFERENCES chain_logs
);
CREATE INDEX chain_lease_rows_key ON chain_lease_rows (lease_key) WHERE live;
CREATE INDEX chain_lease_rows_tenant ON chain_lease_rows (tenant) WHERE live AND tenant IS NOT NULL;
CREATE INDEX chain_lease_rows_ref ON chain_lease_rows (lease_ref) WHERE live AND kind = 'opened';

-- Our own transactions, for figures: how long the chain takes, and what it costs.
CREATE TABLE chain_transactions (
  tx_hash         text   PRIMARY KEY,
  intent_id       text,
  kind            text   CHECK (kind IN ('open', 'settle', 'close')),
  status          text   CHECK (status IN ('confirmed', 'reverted')),
  submitted_at_ms bigint,
  -- When its first event reached us.
  seen_at_ms      bigint,
  gas_used        bigint,
  rows            int    NOT NULL DEFAULT 0
);
CREATE INDEX chain_transactions_submitted ON chain_transactions (submitted_at_ms);
