-- What could not be handled, in a database that the consumers of a group share: that of the embedded bus, or with Kafka
-- the service's own. IF NOT EXISTS: databases of the embedded bus had these tables before they became a set of their own.

-- A key whose record could not be handled: its later records wait behind it until someone replays or skips.
CREATE TABLE IF NOT EXISTS bus_parked_keys (
  consumer_group text NOT NULL,
  topic text NOT NULL,
  partition int NOT NULL,
  key text NOT NULL,
  replay_requested boolean NOT NULL DEFAULT false,
  parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (consumer_group, topic, key)
);
CREATE INDEX IF NOT EXISTS bus_parked_keys_to_replay ON bus_parked_keys (consumer_group) WHERE replay_requested;

-- The topic <topic>.dlq of each group. failed: could not be handled; waiting: came behind a failed one; skipping: to be
-- skipped when its turn comes; replayed and skipped: settled, kept as a record of what was done.
CREATE TABLE IF NOT EXISTS bus_dead_letters (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  consumer_group text NOT NULL,
  topic text NOT NULL,
  partition int NOT NULL,
  record_offset bigint NOT NULL,
  key text NOT NULL,
  headers json NOT NULL,
  value json NOT NULL,
  state text NOT NULL CHECK (state IN ('failed', 'waiting', 'skipping', 'replayed', 'skipped')),
  error text,
  attempts int NOT NULL DEFAULT 0,
  skip_reason text,
  dead_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  settled_at timestamptz,
  UNIQUE (consumer_group, topic, partition, record_offset)
);
CREATE INDEX IF NOT EXISTS bus_dead_letters_open ON bus_dead_letters (consumer_group, topic, key, record_offset)
  WHERE settled_at IS NULL;

-- Who owns a partition now: each owner takes the next number, and only the latest may write about the partition.
CREATE TABLE IF NOT EXISTS bus_partition_owners (
  consumer_group text NOT NULL,
  topic text NOT NULL,
  partition int NOT NULL,
  epoch bigint NOT NULL,
  PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);
