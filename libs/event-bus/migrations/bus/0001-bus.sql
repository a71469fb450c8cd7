-- The embedded bus: a log of records in partitions, and how far each group of consumers has read it.

CREATE TABLE bus_topics (
  topic text PRIMARY KEY,
  partitions int NOT NULL CHECK (partitions > 0)
);

-- next_offset is handed out under the lock of its row, which the publisher holds until it commits: offsets have no
-- gaps and appear in commit order, so "everything from offset n on" never misses a record.
CREATE TABLE bus_partitions (
  topic text NOT NULL REFERENCES bus_topics,
  partition int NOT NULL,
  next_offset bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- json, not jsonb: what was published is given back to the letter, with escapes that jsonb refuses.
CREATE TABLE bus_records (
  topic text NOT NULL,
  partition int NOT NULL,
  record_offset bigint NOT NULL,
  key text NOT NULL,
  headers json NOT NULL,
  value json NOT NULL,
  published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (topic, partition, record_offset)
);

CREATE TABLE bus_offsets (
  consumer_group text NOT NULL,
  topic text NOT NULL,
  partition int NOT NULL,
  next_offset bigint NOT NULL,
  PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);

-- All records of a call in one transaction and one round trip. Partitions are locked in one order, so that two
-- publishers never wait for each other in a circle.
CREATE FUNCTION bus_publish(
  p_topics text[], p_partitions int[], p_keys text[], p_headers text[], p_values text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  target record;
  first_offset bigint;
BEGIN
  FOR target IN
    SELECT t.topic, t.partition, count(*) AS records
    FROM unnest(p_topics, p_partitions) AS t (topic, partition)
    GROUP BY t.topic, t.partition
    ORDER BY t.topic, t.partition
  LOOP
    UPDATE bus_partitions p SET next_offset = p.next_offset + target.records
    WHERE p.topic = target.topic AND p.partition = target.partition
    RETURNING p.next_offset - target.records INTO STRICT first_offset;

    INSERT INTO bus_records (topic, partition, record_offset, key, headers, value)
    SELECT r.topic, r.partition, first_offset + row_number() OVER (ORDER BY r.place) - 1,
           r.key, r.headers::json, r.value::json
    FROM unnest(p_topics, p_partitions, p_keys, p_headers, p_values)
      WITH ORDINALITY AS r (topic, partition, key, headers, value, place)
    WHERE r.topic = target.topic AND r.partition = target.partition;
  END LOOP;
END $$;
