-- A finding is suspected first: three sides read one after the other may differ by what is under way. It becomes a
-- break when it lasts.
CREATE TABLE breaks (
  break_id       text   PRIMARY KEY,
  kind           text   NOT NULL CHECK (kind IN ('missing', 'duplicate', 'wrong_amount', 'wrong_party', 'timing')),
  subject        text   NOT NULL,
  account_id     text,
  state          text   NOT NULL CHECK (state IN ('suspected', 'open', 'resolved')),
  meter_micros   bigint,
  ledger_micros  bigint,
  chain_micros   bigint,
  detail         text   NOT NULL,
  first_seen_ms  bigint NOT NULL,
  opened_at_ms   bigint,
  resolved_at_ms bigint,
  resolution     text,
  stream_version int    NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX breaks_unresolved ON breaks (subject, kind) WHERE state <> 'resolved';
CREATE INDEX breaks_account ON breaks (account_id, first_seen_ms);
