-- Which replicas of a divided group a lease has; null where it has the whole group.
ALTER TABLE leases ADD COLUMN part jsonb;
