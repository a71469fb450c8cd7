-- What an append does with its streams, apart from its events: those are either handed to append_to_streams together with
-- the streams, which is one round trip, or, where they are many, copied into the table behind this, which costs the server up
-- to a third less. Arrays have an entry a stream.
--
-- Streams that exist are locked first, in one order; then new ones are made, in one order. So two writers never wait for
-- each other in a circle. Raises, with the stream in its detail, GB001 when a stream is not at its expected version and
-- GB002 when it publishes to another topic.
--
-- Gives the tx of this transaction, and of each stream the tx of its new events and how many public events it had before;
-- nulls in their place where every stream is new: then it is this transaction's, and none.
CREATE FUNCTION grow_streams(
  p_stream_ids text[], p_keys text[], p_topics text[], p_expected bigint[], p_counts int[], p_publics int[],
  OUT current_tx xid8, OUT txs xid8[], OUT public_bases bigint[]
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
  WHERE expected = 0 ORDER BY stream_id
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
END $$;

-- As before (0007-events-as-written), on top of that.
CREATE OR REPLACE FUNCTION append_to_streams(
  p_stream_ids text[], p_keys text[], p_topics text[], p_expected bigint[], p_counts int[], p_publics int[],
  p_streams int[], p_types text[], p_schema_versions int[], p_data text[], p_metadata text[], p_offsets int[],
  p_public_offsets int[], p_occurred_at timestamptz
) RETURNS xid8 LANGUAGE plpgsql AS $$
DECLARE
  grown record;
BEGIN
  SELECT * INTO grown FROM grow_streams(p_stream_ids, p_keys, p_topics, p_expected, p_counts, p_publics);
  -- Side by side in the list of results, unnest gives row after row; in FROM each array would first be copied as a whole.
  INSERT INTO events (stream_id, version, type, schema_version, data, metadata, occurred_at, tx, sequence)
  SELECT p_stream_ids[e.stream], p_expected[e.stream] + e.nth, e.type, e.schema_version, e.data::json, e.metadata::json,
         p_occurred_at, coalesce(grown.txs[e.stream], grown.current_tx),
         coalesce(grown.public_bases[e.stream], 0) + e.nth_public
  FROM (
    SELECT unnest(p_streams) AS stream, unnest(p_types) AS type, unnest(p_schema_versions) AS schema_version,
           unnest(p_data) AS data, unnest(p_metadata) AS metadata, unnest(p_offsets) AS nth,
           unnest(p_public_offsets) AS nth_public
  ) AS e;
  RETURN grown.current_tx;
END $$;
