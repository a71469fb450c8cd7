-- Which replicas of a divided group a lease has; null where it has the whole group.
ALTER TABLE leases ADD COLUMN part jsonb;
-- Of a group one lease lives, or one of each part: a whole group stands in the place of the first part.
DROP INDEX one_living_lease;
CREATE UNIQUE INDEX one_living_lease ON leases (order_id, group_name, COALESCE((part ->> 'number')::int, 1))
  WHERE state IN ('proposed', 'accepted', 'funded', 'active');
