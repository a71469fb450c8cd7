-- As before (0009-row-xmin), but new streams are made in the order of their bytes, whatever the language of the database: many
-- of them are copied by their writer, in an order that it has to know.
CREATE OR REPLACE FUNCTION grow_streams(
  p_stream_ids text[], p_keys text[], p_topics text[], p_expected bigint[], p_counts int[], p_publics int[],
  OUT current_tx xid8, OUT txs xid8[], OUT public_bases bigint[], OUT row_xmin xid
) LANGUAGE plpgsql AS $$
DECLARE
  existing_ids constant text[] := ARRAY(
    SELECT stream_id FROM unnest(p_stream_ids, p_expected) AS t (stream_id, expected) WHERE expected > 0);
  refused record;
  made bigint;
BEGIN
  -- Assigned before anything is locked: it is the id of this transaction's events.
  current_tx := pg_current_xact_id();
  IF cardinality(existing_ids) > 0 THEN
    SELECT t.stream_id, s.version IS NOT DISTINCT FROM t.expected AS at_expected_version INTO refused
    FROM unnest(p_stream_ids, p_topics, p_expected) AS t (stream_id, topic, expected)
    LEFT JOIN (
      SELECT stream_id, version, topic FROM streams
      WHERE stream_id = ANY (existing_ids) ORDER BY stream_id FOR UPDATE
    ) AS s ON s.stream_id = t.stream_id
    WHERE t.expected > 0 AND (coalesce(s.version, 0) <> t.expected OR t.topic <> s.topic)
    ORDER BY t.stream_id LIMIT 1;
    IF FOUND THEN
      IF refused.at_expected_version THEN
        RAISE EXCEPTION USING ERRCODE = 'GB002', MESSAGE = 'stream publishes to another topic',
          DETAIL = refused.stream_id;
      END IF;
      RAISE EXCEPTION USING ERRCODE = 'GB001', MESSAGE = 'stream is not at its expected version',
        DETAIL = refused.stream_id;
    END IF;
  END IF;

  INSERT INTO streams (stream_id, version, tx, public_sequence, topic, key)
  SELECT stream_id, events, current_tx, publics, topic, key
  FROM unnest(p_stream_ids, p_keys, p_topics, p_expected, p_counts, p_publics)
    AS t (stream_id, key, topic, expected, events, publics)
  WHERE expected = 0 ORDER BY stream_id COLLATE "C"
  ON CONFLICT (stream_id) DO NOTHING;
  -- Fewer than asked: one is there already, or another transaction has just made it.
  GET DIAGNOSTICS made = ROW_COUNT;
  IF made + cardinality(existing_ids) <> cardinality(p_stream_ids) THEN
    RAISE EXCEPTION USING ERRCODE = 'GB001', MESSAGE = 'stream is not at its expected version', DETAIL = (
      SELECT t.stream_id FROM unnest(p_stream_ids, p_expected) AS t (stream_id, expected)
      JOIN streams s USING (stream_id)
      WHERE t.expected = 0 AND s.tx <> current_tx ORDER BY t.stream_id LIMIT 1);
  END IF;

  IF cardinality(existing_ids) > 0 THEN
    WITH grown AS (
      UPDATE streams s
      SET version = s.version + t.events,
          tx = greatest(s.tx, current_tx),
          public_sequence = s.public_sequence + t.publics,
          topic = coalesce(s.topic, t.topic)
      FROM unnest(p_stream_ids, p_topics, p_expected, p_counts, p_publics)
        WITH ORDINALITY AS t (stream_id, topic, expected, events, publics, place)
      WHERE s.stream_id = t.stream_id AND t.expected > 0
      RETURNING t.place, s.tx, s.public_sequence - t.publics AS public_base
    )
    SELECT array_agg(coalesce(grown.tx, current_tx) ORDER BY place),
           array_agg(coalesce(grown.public_base, 0) ORDER BY place)
    INTO txs, public_bases
    FROM generate_series(1, cardinality(p_stream_ids)) AS place LEFT JOIN grown USING (place);
  END IF;

  SELECT xmin INTO row_xmin FROM streams WHERE stream_id = p_stream_ids[1];
END $$;
