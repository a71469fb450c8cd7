-- The latest snapshot of each stream's folded state. Worth nothing but time: every row may be deleted at any moment.
CREATE TABLE stream_snapshots (
  stream_id text PRIMARY KEY,
  -- How many events are in it.
  version bigint NOT NULL CHECK (version > 0),
  -- Where its last event stands: a snapshot of another history, as after a restore of an older backup, is ignored.
  tx xid8 NOT NULL,
  position bigint NOT NULL,
  -- Which state it is, in which form: of another name or form it is ignored.
  state_name text NOT NULL,
  state_version int NOT NULL,
  state jsonb NOT NULL,
  taken_at timestamptz NOT NULL DEFAULT now()
);
