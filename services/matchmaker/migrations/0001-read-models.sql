-- Orders and leases as they are now, written in the transaction of the events that made them so.
CREATE TABLE orders (
  order_id         text   PRIMARY KEY,
  account_id       text   NOT NULL,
  version          int    NOT NULL,
  state            text   NOT NULL,
  name             text   NOT NULL,
  run              text   NOT NULL,
  max_rate_micros  bigint NOT NULL,
  rate_micros      bigint,
  duration_seconds bigint NOT NULL,
  submitted_at_ms  bigint NOT NULL,
  expires_at_ms    bigint NOT NULL,
  ended_at_ms      bigint,
  ended_reason     text,
  ended_detail     text,
  explanation      jsonb,
  warnings         jsonb  NOT NULL,
  request_hash     text   NOT NULL,
  -- Still in the memory of the matchmaker: not ended, or with leases that are not over.
  live             boolean NOT NULL
);
CREATE INDEX orders_by_account ON orders (account_id, submitted_at_ms DESC, order_id DESC);
CREATE INDEX orders_live ON orders (order_id) WHERE live;

CREATE TABLE leases (
  lease_id          text   PRIMARY KEY,
  order_id          text   NOT NULL REFERENCES orders,
  account_id        text   NOT NULL,
  version           int    NOT NULL,
  group_name        text   NOT NULL,
  provider_id       text   NOT NULL,
  offer_id          text   NOT NULL,
  chain_lease_key   text,
  state             text   NOT NULL,
  close_reason      text,
  close_detail      text,
  rate_micros       bigint NOT NULL,
  list_rate_micros  bigint,
  duration_seconds  bigint NOT NULL,
  lock_micros       bigint NOT NULL,
  proposed_at_ms    bigint NOT NULL,
  accept_by_ms      bigint NOT NULL,
  funded_at_ms      bigint,
  running_since_ms  bigint,
  closed_at_ms      bigint,
  paid_micros       bigint,
  refunded_micros   bigint,
  capacity_released boolean NOT NULL
);
CREATE INDEX leases_by_account ON leases (account_id, proposed_at_ms DESC, lease_id DESC);
CREATE INDEX leases_by_provider ON leases (provider_id, proposed_at_ms DESC, lease_id DESC);
CREATE INDEX leases_by_order ON leases (order_id, proposed_at_ms, lease_id);
-- For the usual time from proposal to running.
CREATE INDEX leases_that_ran ON leases (proposed_at_ms DESC) WHERE running_since_ms IS NOT NULL;

-- All that happened to an order and its leases, in the order in which it was committed here (one writer).
CREATE TABLE timeline (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id text   NOT NULL,
  lease_id text,
  at_ms    bigint NOT NULL,
  type     text   NOT NULL,
  text     text   NOT NULL,
  data     jsonb  NOT NULL
);
CREATE INDEX timeline_by_order ON timeline (order_id, id);

-- The market as the registry tells it.
CREATE TABLE providers (
  provider_id       text    PRIMARY KEY,
  account_id        text    NOT NULL,
  name              text    NOT NULL,
  place             jsonb   NOT NULL,
  attributes        jsonb   NOT NULL,
  tier              int     NOT NULL,
  activated         boolean NOT NULL,
  chain_provider_id bigint,
  suspended         boolean NOT NULL,
  presence          text    NOT NULL,
  sequence          bigint  NOT NULL
);
CREATE INDEX providers_by_account ON providers (account_id);
CREATE TABLE offers (
  offer_id    text    PRIMARY KEY,
  provider_id text    NOT NULL,
  revision    int     NOT NULL,
  -- gpu, nodes, price, policy, storage classes, as published.
  body        jsonb   NOT NULL,
  withdrawn   boolean NOT NULL
);

-- What billing last said of each tenant's free money.
CREATE TABLE escrow_balances (
  account_id  text   PRIMARY KEY,
  free_micros bigint NOT NULL,
  at_ms       bigint NOT NULL
);

-- One row. Whoever started last is the writer; every commit checks that it still is.
CREATE TABLE writer_epoch (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  epoch     bigint  NOT NULL
);
INSERT INTO writer_epoch (epoch) VALUES (0);
