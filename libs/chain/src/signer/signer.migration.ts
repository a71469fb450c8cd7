import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tables of the durable signer. The raw bytes are kept for ever: a chain that lost them gets the same ones again. */
export const signerSchemaSql = `
CREATE TABLE signer_keys (
  address text PRIMARY KEY,
  chain_id bigint NOT NULL,
  genesis_hash text NOT NULL,
  next_nonce bigint NOT NULL CHECK (next_nonce >= 0)
);

CREATE TABLE signer_intents (
  id text PRIMARY KEY,
  position bigint GENERATED ALWAYS AS IDENTITY,
  signer text NOT NULL,
  to_address text NOT NULL,
  data text NOT NULL,
  gas_limit numeric(20),
  -- queued: no nonce yet. sent: signed under a nonce. The others are the outcome that was told last.
  status text NOT NULL CHECK (status IN ('queued', 'sent', 'confirmed', 'reverted', 'rejected')),
  error jsonb,
  enqueued_at_ms bigint NOT NULL,
  decided_at_ms bigint
);
CREATE INDEX signer_intents_queue ON signer_intents (signer, position) WHERE status = 'queued';

-- One row for each signed transaction. A nonce has several when it was signed again: with a higher fee, or to burn it.
CREATE TABLE signer_transactions (
  signer text NOT NULL,
  nonce bigint NOT NULL,
  attempt int NOT NULL,
  -- Null: sends nothing to itself, only to use up the nonce.
  intent_id text REFERENCES signer_intents,
  hash text NOT NULL UNIQUE,
  raw text NOT NULL,
  max_fee_per_gas numeric(40) NOT NULL,
  signed_at_ms bigint NOT NULL,
  PRIMARY KEY (signer, nonce, attempt)
);

-- One row for each nonce: what became of it.
CREATE TABLE signer_nonces (
  signer text NOT NULL,
  nonce bigint NOT NULL,
  intent_id text REFERENCES signer_intents,
  -- Why the node would never take the intent's bytes; set when the nonce is being burned.
  poison jsonb,
  -- open: not seen in a block. mined: in a block that may still go. final: in a block that may not.
  -- displaced: another transaction of the same key has used the nonce.
  state text NOT NULL CHECK (state IN ('open', 'mined', 'final', 'displaced')),
  hash text,
  block_number bigint,
  block_hash text,
  PRIMARY KEY (signer, nonce)
);
CREATE INDEX signer_nonces_watched ON signer_nonces (signer, nonce) WHERE state IN ('open', 'mined');
`;

/** TypeORM sorts migrations by the number at the end; this one comes before a service's own. */
export class signerMigration implements MigrationInterface {
  name = 'DurableSigner1700000000100';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(signerSchemaSql);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
