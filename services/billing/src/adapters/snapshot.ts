import type { DataSource, EntityManager } from 'typeorm';

/** Several reads of one state of the database. Ledger and chain logs are written together, so none shows without the other. */
export const readSnapshot = <T>(
  dataSource: DataSource,
  read: (manager: EntityManager) => Promise<T>,
): Promise<T> =>
  dataSource.transaction('REPEATABLE READ', async (manager) => {
    await manager.query('SET TRANSACTION READ ONLY');
    return read(manager);
  });
