-- The events of one service, which are its state, its history and its outbox.

CREATE TABLE streams (
  stream_id text PRIMARY KEY CHECK (length(stream_id) BETWEEN 1 AND 180),
  version bigint NOT NULL CHECK (version > 0),
  -- The tx of its last event.
  tx xid8 NOT NULL,
  -- How many public events it has, which is the sequence of the last one.
  public_sequence bigint NOT NULL,
  -- Where its public events go, and under which key; null until there is one.
  topic text,
  key text NOT NULL
) WITH (fillfactor = 70);
-- Two streams that published under one key would spoil each other's sequence.
CREATE UNIQUE INDEX streams_topic_key ON streams (topic, key) WHERE topic IS NOT NULL;

-- Order of reading: (tx, position) below the oldest transaction that still runs. position alone is the order of
-- insertion, and transactions do not commit in that order: a reader that goes by it loses events.
-- tx is the id of the writing transaction, or that of the stream's event before it where that is higher: a transaction
-- that got its id early may append to a stream after one that got its id late, and a stream must be read in its own order.
-- Nothing is lost by it: whoever may read up to the higher id may read up to the lower one.
CREATE TABLE events (
  stream_id text NOT NULL,
  version bigint NOT NULL,
  type text NOT NULL,
  schema_version int NOT NULL,
  data jsonb NOT NULL,
  metadata jsonb NOT NULL,
  occurred_at timestamptz NOT NULL,
  tx xid8 NOT NULL,
  position bigint GENERATED ALWAYS AS IDENTITY,
  -- Place among the public events of the stream, from 1; null for a private event.
  sequence bigint,
  PRIMARY KEY (stream_id, version)
);
CREATE UNIQUE INDEX events_order ON events (tx, position);
CREATE INDEX events_outbox ON events (tx, position) WHERE sequence IS NOT NULL;

-- How far the relay has published.
CREATE TABLE outbox_checkpoint (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  tx xid8 NOT NULL,
  position bigint NOT NULL
);
INSERT INTO outbox_checkpoint (tx, position) VALUES ('0', 0);

-- Appends to many streams in one call: arrays p_stream_ids … p_publics have an entry a stream, the others one an event;
-- p_streams gives each event its stream (1-based). Streams are locked in one order, so that two writers never wait for
-- each other in a circle. Raises, with the stream in its detail, GB001 when a stream is not at its expected version
-- and GB002 when it publishes to another topic.
CREATE FUNCTION append_events(
  p_stream_ids text[], p_keys text[], p_topics text[], p_expected bigint[], p_counts int[], p_publics int[],
  p_streams int[], p_types text[], p_schema_versions int[], p_data text[], p_metadata text[], p_public boolean[],
  p_occurred_at timestamptz
) RETURNS xid8 LANGUAGE plpgsql AS $$
DECLARE
  target record;
BEGIN
  FOR target IN
    SELECT * FROM unnest(p_stream_ids, p_keys, p_topics, p_expected, p_counts, p_publics)
      AS t (stream_id, key, topic, expected, events, publics)
    ORDER BY stream_id
  LOOP
    IF target.expected = 0 THEN
      INSERT INTO streams (stream_id, version, tx, public_sequence, topic, key)
      VALUES (target.stream_id, target.events, pg_current_xact_id(), target.publics, target.topic, target.key)
      ON CONFLICT (stream_id) DO NOTHING;
    ELSE
      UPDATE streams s
      SET version = s.version + target.events,
          tx = greatest(s.tx, pg_current_xact_id()),
          public_sequence = s.public_sequence + target.publics,
          topic = coalesce(s.topic, target.topic)
      WHERE s.stream_id = target.stream_id AND s.version = target.expected
        AND (target.topic IS NULL OR s.topic IS NULL OR s.topic = target.topic);
    END IF;
    IF NOT FOUND THEN
      IF EXISTS (SELECT FROM streams s WHERE s.stream_id = target.stream_id AND s.version = target.expected) THEN
        RAISE EXCEPTION USING ERRCODE = 'GB002', MESSAGE = 'stream publishes to another topic',
          DETAIL = target.stream_id;
      END IF;
      RAISE EXCEPTION USING ERRCODE = 'GB001', MESSAGE = 'stream is not at its expected version',
        DETAIL = target.stream_id;
    END IF;
  END LOOP;

  INSERT INTO events (stream_id, version, type, schema_version, data, metadata, occurred_at, tx, sequence)
  SELECT stream_id,
         version - events + row_number() OVER (PARTITION BY stream_id ORDER BY place),
         type, schema_version, data::jsonb, metadata::jsonb, p_occurred_at, tx,
         CASE WHEN public THEN
           public_sequence - publics + count(*) FILTER (WHERE public) OVER (PARTITION BY stream_id ORDER BY place)
         END
  FROM (
    SELECT s.stream_id, s.version, s.tx, s.public_sequence, p_counts[e.stream] AS events, p_publics[e.stream] AS publics,
           e.type, e.schema_version, e.data, e.metadata, e.public, e.place
    FROM unnest(p_streams, p_types, p_schema_versions, p_data, p_metadata, p_public)
      WITH ORDINALITY AS e (stream, type, schema_version, data, metadata, public, place)
    JOIN streams s ON s.stream_id = p_stream_ids[e.stream]
  ) AS appended
  ORDER BY place;

  RETURN pg_current_xact_id();
END $$;
