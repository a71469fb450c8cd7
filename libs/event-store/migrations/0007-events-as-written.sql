-- json, not jsonb: an event is written once, read as a whole and never looked into by the server, so that taking it apart
-- and putting it together again was a quarter of the cost of an append. Rewrites the table: nobody reads or writes events
-- meanwhile.
ALTER TABLE events ALTER COLUMN data TYPE json, ALTER COLUMN metadata TYPE json;

-- As before (0002-append-in-sets), for json; and with memory for a whole batch, which was sorted on disk.
CREATE OR REPLACE FUNCTION append_to_streams(
  p_stream_ids text[], p_keys text[], p_topics text[], p_expected bigint[], p_counts int[], p_publics int[],
  p_streams int[], p_types text[], p_schema_versions int[], p_data text[], p_metadata text[], p_offsets int[],
  p_public_offsets int[], p_occurred_at timestamptz
) RETURNS xid8 LANGUAGE plpgsql SET work_mem = '64MB' AS $$
DECLARE
  -- Assigned before anything is locked: it is the id of this transaction's events.
  current_tx constant xid8 := pg_current_xact_id();
  refused record;
  appended bigint;
BEGIN
  SELECT t.stream_id, s.version IS NOT DISTINCT FROM t.expected AS at_expected_version INTO refused
  FROM unnest(p_stream_ids, p_topics, p_expected) AS t (stream_id, topic, expected)
  LEFT JOIN (
    SELECT stream_id, version, topic FROM streams
    WHERE stream_id = ANY (p_stream_ids) ORDER BY stream_id FOR UPDATE
  ) AS s ON s.stream_id = t.stream_id
  WHERE coalesce(s.version, 0) <> t.expected OR t.topic <> s.topic
  ORDER BY t.stream_id LIMIT 1;
  IF FOUND THEN
    IF refused.at_expected_version THEN
      RAISE EXCEPTION USING ERRCODE = 'GB002', MESSAGE = 'stream publishes to another topic',
        DETAIL = refused.stream_id;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'GB001', MESSAGE = 'stream is not at its expected version',
      DETAIL = refused.stream_id;
  END IF;

  WITH target AS (
    SELECT * FROM unnest(p_stream_ids, p_keys, p_topics, p_expected, p_counts, p_publics)
      WITH ORDINALITY AS t (stream_id, key, topic, expected, events, publics, place)
  ), made AS (
    INSERT INTO streams (stream_id, version, tx, public_sequence, topic, key)
    SELECT stream_id, events, current_tx, publics, topic, key FROM target WHERE expected = 0 ORDER BY stream_id
    ON CONFLICT (stream_id) DO NOTHING
    RETURNING stream_id, tx
  ), grown AS (
    UPDATE streams s
    SET version = s.version + t.events,
        tx = greatest(s.tx, current_tx),
        public_sequence = s.public_sequence + t.publics,
        topic = coalesce(s.topic, t.topic)
    FROM target t
    WHERE s.stream_id = t.stream_id AND t.expected > 0
    RETURNING t.place, s.tx, s.public_sequence - t.publics AS public_base
  ), stream AS (
    SELECT t.place, t.stream_id, t.expected AS base, made.tx, 0 AS public_base FROM made JOIN target t USING (stream_id)
    UNION ALL
    SELECT t.place, t.stream_id, t.expected, grown.tx, grown.public_base FROM grown JOIN target t USING (place)
  )
  INSERT INTO events (stream_id, version, type, schema_version, data, metadata, occurred_at, tx, sequence)
  SELECT s.stream_id, s.base + e.nth, e.type, e.schema_version, e.data::json, e.metadata::json, p_occurred_at, s.tx,
         s.public_base + e.nth_public
  FROM unnest(p_streams, p_types, p_schema_versions, p_data, p_metadata, p_offsets, p_public_offsets)
    WITH ORDINALITY AS e (stream, type, schema_version, data, metadata, nth, nth_public, place)
  JOIN stream s ON s.place = e.stream
  ORDER BY e.place;

  -- Fewer than asked: another transaction has just made a stream that is new to us.
  GET DIAGNOSTICS appended = ROW_COUNT;
  IF appended <> cardinality(p_streams) THEN
    RAISE EXCEPTION USING ERRCODE = 'GB001', MESSAGE = 'stream is not at its expected version', DETAIL = (
      SELECT t.stream_id FROM unnest(p_stream_ids, p_expected) AS t (stream_id, expected)
      JOIN streams s USING (stream_id)
      WHERE t.expected = 0 AND s.tx <> current_tx ORDER BY t.stream_id LIMIT 1);
  END IF;
  RETURN current_tx;
END $$;
