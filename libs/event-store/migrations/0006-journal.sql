-- Events of other services as this one took them, for those consumers that ask for it: written in the transaction of the
-- effects and of the inbox. Read models of foreign events are rebuilt from it.
CREATE TABLE bus_journal (
  consumer text NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  sequence bigint NOT NULL CHECK (sequence > 0),
  type text NOT NULL,
  -- The version in which it was published: it is read through the upcasters.
  schema_version int NOT NULL,
  -- json, not jsonb: to the letter as it was published.
  data json NOT NULL,
  heard_at_ms bigint NOT NULL,
  -- What the handler remembers of the hearing.
  note jsonb,
  tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
  -- Of one sequence with the service's own events, so that both have one order.
  position bigint NOT NULL DEFAULT nextval('events_position_seq'),
  PRIMARY KEY (consumer, topic, key, sequence)
);
CREATE UNIQUE INDEX bus_journal_order ON bus_journal (tx, position);

-- Which events are kept, and whether from the first one on.
CREATE TABLE bus_journal_coverage (
  consumer text NOT NULL,
  topic text NOT NULL,
  type text NOT NULL,
  complete boolean NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, topic, type)
);

-- How the last rebuild of each read model has ended.
CREATE TABLE read_model_rebuilds_done (
  name text PRIMARY KEY,
  events bigint NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT now()
);
