-- The version of the published language in which the proposal is kept: it is read through the upcasters. There was one
-- version when these rows were written.
ALTER TABLE leases ADD COLUMN proposal_version int NOT NULL DEFAULT 1;
ALTER TABLE leases ALTER COLUMN proposal_version DROP DEFAULT;

-- Replicas by service as the cluster last showed them, for reading only. Beside the workloads, which follow from events
-- alone and can be made anew from them.
CREATE TABLE workload_sightings (
  lease_id     text   PRIMARY KEY,
  services     jsonb  NOT NULL,
  last_seen_ms bigint NOT NULL
);
INSERT INTO workload_sightings (lease_id, services, last_seen_ms)
SELECT lease_id, services, last_seen_ms FROM workloads WHERE last_seen_ms IS NOT NULL;
ALTER TABLE workloads DROP COLUMN services, DROP COLUMN last_seen_ms, DROP COLUMN updated_at_ms;
