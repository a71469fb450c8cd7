import type { MigrationInterface, QueryRunner } from 'typeorm';
import { authMigrationSql } from '../auth/auth.migration.ts';

const idempotencySql = `
CREATE TABLE idempotency_keys (
  account_id   text   NOT NULL,
  key          text   NOT NULL,
  request_hash text   NOT NULL,
  status       int,
  response     jsonb,
  locked_at_ms bigint NOT NULL,
  PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (locked_at_ms);
`;

/** Tables that every service has beside its own and the event store's. Forward only. */
export class chassisMigration implements MigrationInterface {
  readonly name = 'Chassis1700000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(authMigrationSql);
    await runner.query(idempotencySql);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
