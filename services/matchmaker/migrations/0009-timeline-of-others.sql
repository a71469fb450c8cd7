-- The timeline of what this service decides is read from its events, which know their places; rows are kept of what it
-- hears only, and of what was decided before places were stored with events.
DELETE FROM timeline AS t USING events AS e
WHERE e.stream_id = coalesce(t.lease_id, t.order_id) AND e.type = t.type
  AND t.id = (e.metadata #>> ARRAY['timeline', 'places',
    (e.version - (e.metadata #>> '{timeline,firstVersion}')::bigint)::text])::bigint;
