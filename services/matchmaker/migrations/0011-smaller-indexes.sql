-- Indexes that cost less whenever a row is put in: for orders and leases they were most of what a new row costs.

-- That of a part of a group one lease lives, and finding the leases of an order, in one index in place of two: lives are told
-- apart by nothing, and what has ended by its own name.
DROP INDEX leases_by_order;
DROP INDEX one_living_lease;
CREATE UNIQUE INDEX one_living_lease ON leases (
  order_id, group_name, COALESCE((part ->> 'number')::int, 1),
  (CASE WHEN state IN ('proposed', 'accepted', 'funded', 'active') THEN '' ELSE lease_id END)
);

-- Few rows are of one account and one millisecond: these are sorted by id when they are read.
DROP INDEX leases_by_account;
CREATE INDEX leases_by_account ON leases (account_id, proposed_at_ms DESC);
DROP INDEX leases_by_provider;
CREATE INDEX leases_by_provider ON leases (provider_id, proposed_at_ms DESC);
DROP INDEX orders_by_account;
CREATE INDEX orders_by_account ON orders (account_id, submitted_at_ms DESC);

-- Which these are is told by where they are: all keys are alike, and so next to nothing is stored.
DROP INDEX orders_live;
CREATE INDEX orders_live ON orders (live) WHERE live;
