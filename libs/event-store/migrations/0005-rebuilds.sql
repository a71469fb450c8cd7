-- Read models that are being rebuilt in tables of their own, and how far each has come.
CREATE TABLE read_model_rebuilds (
  name text PRIMARY KEY,
  -- What the shadow was begun with: of another projection, or beside tables of another shape, it is thrown away.
  projection_version int NOT NULL,
  shape text NOT NULL,
  tx xid8 NOT NULL,
  position bigint NOT NULL,
  events bigint NOT NULL DEFAULT 0,
  started_at timestamptz NOT NULL DEFAULT now()
);
