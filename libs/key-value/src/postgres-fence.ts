import { DomainError } from '@gridbourse/kernel';

/** For a migration of the database that holds what the locks protect. One row for each resource that was ever locked. */
export const fenceMigrationSql = `
CREATE TABLE fences (
  resource text   PRIMARY KEY,
  token    bigint NOT NULL
);
`;

/** TypeORM's EntityManager, QueryRunner or DataSource. */
type Queries = { query(sql: string, parameters: unknown[]): Promise<unknown> };

/**
 * First statement of a transaction that changes what a lock protects: notes the holder's token, and refuses the
 * transaction of a holder that was overtaken. Until the transaction ends nobody else gets past the fence of this
 * resource, so a holder that has passed is not overtaken before it commits.
 * @throws DomainError `fenced_off` (conflict): a later holder was here; stop, and change nothing
 */
export const passFence = async (transaction: Queries, resource: string, token: bigint): Promise<void> => {
  const passed = (await transaction.query(
    `INSERT INTO fences (resource, token) VALUES ($1, $2)
     ON CONFLICT (resource) DO UPDATE SET token = excluded.token WHERE fences.token <= excluded.token
     RETURNING token`,
    [resource, String(token)],
  )) as unknown[];
  if (passed.length === 0) {
    throw new DomainError(
      'conflict',
      'fenced_off',
      `a later holder of ${resource} was here: this one has lost its lock`,
    );
  }
};
