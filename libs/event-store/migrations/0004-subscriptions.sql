-- How far each subscription has come, in the database of the consumer: written in the transaction of its effects.
CREATE TABLE subscription_checkpoints (
  name text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 120),
  tx xid8 NOT NULL,
  position bigint NOT NULL,
  advanced_at timestamptz NOT NULL DEFAULT now()
);
