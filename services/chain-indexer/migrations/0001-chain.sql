-- Which chain it is, and how far it has been followed. One row.
CREATE TABLE chain_cursor (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  chain_id bigint NOT NULL,
  genesis_hash text NOT NULL,
  -- The last block that was taken in.
  indexed_number bigint NOT NULL,
  indexed_hash text NOT NULL,
  -- The last block that we hold for irreversible: never above the chain's own finalized block.
  final_number bigint NOT NULL CHECK (final_number <= indexed_number),
  final_hash text NOT NULL,
  -- How many events each contract's stream has.
  stream_versions jsonb NOT NULL,
  -- What was told last in ChainHalted; null while the chain is followed.
  halted_reason text
);

-- The chain of parent hashes from the last final block on: what a reorganisation is found with.
CREATE TABLE chain_blocks (
  number bigint PRIMARY KEY,
  hash text NOT NULL,
  parent_hash text NOT NULL,
  time_ms bigint NOT NULL,
  seen_at_ms bigint NOT NULL
);

-- Every log of our contracts on the chain as it is now.
CREATE TABLE chain_logs (
  chain_id bigint NOT NULL,
  block_hash text NOT NULL,
  log_index int NOT NULL,
  block_number bigint NOT NULL,
  contract text NOT NULL,
  tx_hash text NOT NULL,
  block_time_ms bigint NOT NULL,
  seen_at_ms bigint NOT NULL,
  -- A chainLog of the published language.
  log jsonb NOT NULL,
  PRIMARY KEY (chain_id, block_hash, log_index)
);
CREATE UNIQUE INDEX chain_logs_order ON chain_logs (block_number, log_index);
