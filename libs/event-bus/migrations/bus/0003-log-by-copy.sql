-- The log keeps what was published to the letter, as text: whoever publishes has made JSON of it, and whoever reads it parses
-- it, so that the server need not.
--
-- Processes of the release before this one still read bus_records, and call bus_append and bus_publish.
ALTER TABLE bus_records RENAME TO bus_log;
ALTER TABLE bus_log ALTER COLUMN headers TYPE text, ALTER COLUMN value TYPE text;
CREATE VIEW bus_records AS
  SELECT topic, partition, record_offset, key, headers::json AS headers, value::json AS value, published_at FROM bus_log;

-- Offsets for records that are to be copied into the log behind this, in the same transaction. Arrays have an entry a
-- partition. Gives the first offset in each, in the order of the arrays.
--
-- Partitions are locked in one order, so that two publishers never wait for each other in a circle.
CREATE FUNCTION bus_claim(p_topics text[], p_partitions int[], p_counts int[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
  target record;
  first_offset bigint;
  first_offsets bigint[] := array_fill(0::bigint, ARRAY[cardinality(p_topics)]);
BEGIN
  FOR target IN
    SELECT * FROM unnest(p_topics, p_partitions, p_counts) WITH ORDINALITY AS t (topic, partition, records, place)
    ORDER BY t.topic, t.partition
  LOOP
    UPDATE bus_partitions p SET next_offset = p.next_offset + target.records
    WHERE p.topic = target.topic AND p.partition = target.partition
    RETURNING p.next_offset - target.records INTO STRICT first_offset;
    first_offsets[target.place] := first_offset;
  END LOOP;
  RETURN first_offsets;
END $$;

-- As before (0002-append-in-one-pass), on top of that.
CREATE OR REPLACE FUNCTION bus_append(
  p_topics text[], p_partitions int[], p_counts int[],
  p_targets int[], p_nth int[], p_keys text[], p_headers text[], p_values text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  first_offsets constant bigint[] := bus_claim(p_topics, p_partitions, p_counts);
BEGIN
  -- Side by side in the list of results, unnest gives row after row; in FROM each array would first be copied as a whole.
  INSERT INTO bus_log (topic, partition, record_offset, key, headers, value)
  SELECT p_topics[r.target], p_partitions[r.target], first_offsets[r.target] + r.nth, r.key, r.headers, r.value
  FROM (
    SELECT unnest(p_targets) AS target, unnest(p_nth) AS nth, unnest(p_keys) AS key, unnest(p_headers) AS headers,
           unnest(p_values) AS value
  ) AS r;
END $$;

-- As before (0001-bus), into the log under its new name.
CREATE OR REPLACE FUNCTION bus_publish(
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

    INSERT INTO bus_log (topic, partition, record_offset, key, headers, value)
    SELECT r.topic, r.partition, first_offset + row_number() OVER (ORDER BY r.place) - 1, r.key, r.headers, r.value
    FROM unnest(p_topics, p_partitions, p_keys, p_headers, p_values)
      WITH ORDINALITY AS r (topic, partition, key, headers, value, place)
    WHERE r.topic = target.topic AND r.partition = target.partition;
  END LOOP;
END $$;
