-- All records of a call in one transaction, one round trip and one pass over them (bus_publish, which processes of the
-- release before this one still call, goes over all of them for each partition). Arrays p_topics … p_counts have an entry
-- a partition, the others one a record: p_targets gives each record its partition (1-based), p_nth its place among those
-- of that partition (from 0).
--
-- Partitions are locked in one order, the one of bus_publish, so that two publishers never wait for each other in a circle.
CREATE FUNCTION bus_append(
  p_topics text[], p_partitions int[], p_counts int[],
  p_targets int[], p_nth int[], p_keys text[], p_headers text[], p_values text[]
) RETURNS void LANGUAGE plpgsql AS $$
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

  -- Side by side in the list of results, unnest gives row after row; in FROM each array would first be copied as a whole.
  INSERT INTO bus_records (topic, partition, record_offset, key, headers, value)
  SELECT p_topics[r.target], p_partitions[r.target], first_offsets[r.target] + r.nth, r.key, r.headers::json, r.value::json
  FROM (
    SELECT unnest(p_targets) AS target, unnest(p_nth) AS nth, unnest(p_keys) AS key, unnest(p_headers) AS headers,
           unnest(p_values) AS value
  ) AS r;
END $$;
