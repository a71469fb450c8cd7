-- A lock may grow (extended) and shrink (stopped) while its lease is open.
ALTER TABLE chain_lease_rows DROP CONSTRAINT chain_lease_rows_kind_check;
ALTER TABLE chain_lease_rows ADD CONSTRAINT chain_lease_rows_kind_check
  CHECK (kind IN ('opened', 'extended', 'stopped', 'settled', 'skipped', 'closed'));
-- Of a stop: when time ceases to earn.
ALTER TABLE chain_lease_rows ADD COLUMN ends_at_ms bigint;

-- What the chain's logs that stand have changed since the opening.
ALTER TABLE leases ADD COLUMN lock_added_micros bigint NOT NULL DEFAULT 0;
ALTER TABLE leases ADD COLUMN lock_freed_micros bigint NOT NULL DEFAULT 0;
ALTER TABLE leases ADD COLUMN stops_at_ms bigint;
