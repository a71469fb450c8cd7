-- What billing knows of a lease. A row may begin as a bare id: events of other services are not ordered among
-- each other, and what they say is kept until the terms are known.
CREATE TABLE leases (
  lease_id                 text    PRIMARY KEY,
  -- The agreement; null until LeaseProposed was heard.
  order_id                 text,
  account_id               text,
  tenant                   text,
  provider_id              text,
  chain_provider_id        bigint,
  offer_id                 text,
  group_name               text,
  rate_micros_per_hour     bigint,
  duration_seconds         int,
  lock_micros              bigint,
  list_rate_micros_per_hour bigint,
  lease_ref                text    UNIQUE,
  proposed_at_ms           bigint,
  -- Opening on chain.
  opening                  text    NOT NULL DEFAULT 'none' CHECK (opening IN ('none', 'requested', 'failed')),
  open_requested_at_ms     bigint,
  lease_key                text    UNIQUE,
  lapsed_at_ms             bigint,
  opened_at_ms             bigint,
  settled_micros           bigint  NOT NULL DEFAULT 0,
  refunded_micros          bigint,
  closed_at_ms             bigint,
  -- What LeaseSettled has told already; a reorg may make it tell again.
  told_paid_micros         bigint,
  told_refunded_micros     bigint,
  -- The meter.
  cumulative_seconds       int     NOT NULL DEFAULT 0,
  earned_micros            bigint  NOT NULL DEFAULT 0,
  counted_to_ms            bigint,
  running_from_ms          bigint,
  degraded_at_ms           bigint,
  meter_closed_at_ms       bigint,
  -- Alarms.
  warned_seconds           int,
  exhausted                boolean NOT NULL DEFAULT false,
  next_alarm_at_ms         bigint,
  -- Settlement.
  in_flight_id             text,
  in_flight_kind           text    CHECK (in_flight_kind IN ('interim', 'final')),
  retry_not_before_ms      bigint,
  failures                 int     NOT NULL DEFAULT 0,
  -- Since when the chain owes the next step; null when nothing is owed.
  owed_since_ms            bigint,
  stream_version           int     NOT NULL DEFAULT 0,
  -- Counts writes; reconciliation looks at leases whose count has moved since they agreed for good.
  changes                  bigint  NOT NULL DEFAULT 0,
  agreed_changes           bigint  NOT NULL DEFAULT -1,
  CHECK (settled_micros >= 0 AND earned_micros >= 0 AND cumulative_seconds >= 0)
);
CREATE INDEX leases_account ON leases (account_id, proposed_at_ms);
CREATE INDEX leases_tenant_open ON leases (tenant) WHERE closed_at_ms IS NULL;
CREATE INDEX leases_alarm ON leases (next_alarm_at_ms) WHERE next_alarm_at_ms IS NOT NULL;
CREATE INDEX leases_to_reconcile ON leases (lease_id) WHERE changes <> agreed_changes AND opening <> 'none';
CREATE INDEX leases_to_settle ON leases (owed_since_ms)
  WHERE opened_at_ms IS NOT NULL AND closed_at_ms IS NULL
    AND (earned_micros > settled_micros OR meter_closed_at_ms IS NOT NULL OR lapsed_at_ms IS NOT NULL);

-- The serial makes a lease key unique at its provider: taken once, never given back.
CREATE TABLE provider_serials (
  chain_provider_id bigint PRIMARY KEY,
  last_serial       bigint NOT NULL
);

CREATE TABLE usage_records (
  usage_id           text   PRIMARY KEY,
  lease_id           text   NOT NULL,
  window_start_ms    bigint NOT NULL,
  window_end_ms      bigint NOT NULL,
  seconds            int    NOT NULL CHECK (seconds >= 0),
  cumulative_seconds int    NOT NULL CHECK (cumulative_seconds >= 0)
);
CREATE INDEX usage_records_lease ON usage_records (lease_id, window_start_ms);

CREATE TABLE settlements (
  settlement_id     text   PRIMARY KEY,
  lease_id          text   NOT NULL REFERENCES leases (lease_id),
  kind              text   NOT NULL CHECK (kind IN ('interim', 'final')),
  cumulative_micros bigint NOT NULL,
  state             text   NOT NULL CHECK
    (state IN ('drafted', 'submitted', 'confirmed', 'finalized', 'failed_retryable', 'failed_final')),
  intent_id         text   NOT NULL,
  tx_hash           text,
  paid_micros       bigint,
  failure           text,
  drafted_at_ms     bigint NOT NULL,
  submitted_at_ms   bigint,
  confirmed_at_ms   bigint,
  -- The log that confirmed it.
  chain_id          bigint,
  block_hash        text,
  log_index         int
);
CREATE INDEX settlements_lease ON settlements (lease_id, drafted_at_ms);
CREATE INDEX settlements_intent ON settlements (intent_id);
CREATE INDEX settlements_log ON settlements (block_hash, log_index) WHERE block_hash IS NOT NULL;
CREATE INDEX settlements_pending ON settlements (drafted_at_ms) WHERE state IN ('drafted', 'submitted');
