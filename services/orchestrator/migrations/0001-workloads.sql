-- What was proposed, kept until the lease is funded; its sealed secrets are erased when the lease is over.
CREATE TABLE leases (
  lease_id         text   PRIMARY KEY,
  account_id       text   NOT NULL,
  provider_id      text   NOT NULL,
  proposal         jsonb  NOT NULL,
  duration_seconds bigint NOT NULL,
  funded_at_ms     bigint,
  erased_at_ms     bigint
);

CREATE INDEX leases_to_erase ON leases (lease_id) WHERE erased_at_ms IS NULL;

-- Where each workload stands: the fold of its stream, written in the transaction that appends to the stream.
CREATE TABLE workloads (
  lease_id      text   PRIMARY KEY,
  provider_id   text   NOT NULL,
  account_id    text   NOT NULL,
  version       bigint NOT NULL,
  state         jsonb  NOT NULL,
  desired       text   NOT NULL,
  observed      text   NOT NULL,
  is_over       boolean NOT NULL,
  -- Replicas by service as the cluster last showed them: for reading only.
  services      jsonb  NOT NULL DEFAULT '[]',
  last_seen_ms  bigint,
  updated_at_ms bigint NOT NULL
);
CREATE INDEX workloads_live ON workloads (provider_id) WHERE NOT is_over;

-- One cluster a provider.
CREATE TABLE clusters (
  provider_id      text   PRIMARY KEY,
  api_server       text   NOT NULL,
  kubeconfig       jsonb  NOT NULL,
  attached_at_ms   bigint NOT NULL,
  offline_since_ms bigint
);

-- Namespaces with our label that no lease is known for, and since when.
CREATE TABLE strange_namespaces (
  provider_id      text   NOT NULL,
  namespace        text   NOT NULL,
  first_seen_at_ms bigint NOT NULL,
  PRIMARY KEY (provider_id, namespace)
);
