import { signerMigration } from '@gridbourse/chain';
import { eventStoreMigrations, migrate, sqlMigrations } from '@gridbourse/event-store';
import { testDatabase } from '@gridbourse/testing';
import { DataSource } from 'typeorm';

const dataSourceOf = (url: string): Promise<DataSource> =>
  new DataSource({
    type: 'postgres',
    url,
    poolSize: 12,
    migrations: [
      ...eventStoreMigrations,
      signerMigration,
      ...sqlMigrations(new URL('../migrations/', import.meta.url), 'billing'),
    ],
    migrationsTableName: 'migrations',
  }).initialize();

/** A migrated database of billing and its DataSource. */
export const billingDatabase = async (): Promise<{ dataSource: DataSource; close(): Promise<void> }> => {
  const database = await testDatabase('billing_store', async (url) => {
    const dataSource = await dataSourceOf(url);
    await migrate(dataSource);
    await dataSource.destroy();
  });
  const dataSource = await dataSourceOf(database.url);
  return {
    dataSource,
    close: async () => {
      await dataSource.destroy();
      await database.drop();
    },
  };
};
