import { eventStoreMigrations, type MigrationClass, sqlMigrations } from '@gridbourse/event-store';
import { testDatabase } from '@gridbourse/testing';
import { describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';

// Real here: Postgres, and every migration.

const ownMigrations = sqlMigrations(new URL('../../migrations/', import.meta.url), 'matchmaker');
const numberOf = (migration: MigrationClass): number => Number(new migration().name!.slice(-4));

const migrate = async (url: string, migrations: readonly MigrationClass[]): Promise<DataSource> => {
  const dataSource = new DataSource({ type: 'postgres', url, migrations: [...migrations] });
  await dataSource.initialize();
  await dataSource.runMigrations();
  return dataSource;
};

const OLD_ROWS = `
  INSERT INTO orders (order_id, account_id, version, state, name, run, max_rate_micros, duration_seconds, submitted_at_ms, expires_at_ms, warnings, request_hash, live)
  VALUES ('ord_a', 'acc_a', 1, 'submitted', 'web', 'service', 1, 1, 1, 1, '[]', '', true),
         ('ord_b', 'acc_a', 1, 'submitted', 'web', 'service', 1, 1, 1, 1, '[]', '', true);
    INSERT INTO events (stream_id, version, type, schema_version, data, metadata, occurred_at, tx)
  VALUES ('ord_a', 1, 'OrderSubmitted', 2, '{"profile":"fastest"}', '{}', now(), pg_current_xact_id());
  INSERT INTO providers (provider_id, account_id, name, place, attributes, tier, activated, suspended, presence, sequence)
  VALUES ('prv_old', 'acc_p', 'old', '{}', '{}', 3, true, false, 'online', 9),
         ('prv_new', 'acc_p', 'new', '{}', '{}', 3, true, false, 'online', 2);
  INSERT INTO bus_journal (consumer, topic, key, sequence, type, schema_version, data, heard_at_ms)
  SELECT 'matchmaker', 'gridbourse.registry.provider', 'prv_old', n, CASE WHEN n > 2 THEN 'EraClosed' ELSE 'ProviderOnline' END, 1, '{}', 1
  FROM generate_series(1, 9) AS n;`;

describe('a database of the release before', () => {
  it('keeps by what its orders are weighed, and how long its providers have been there', async () => {
    const database = await testDatabase('matchmaker_upgrade');
    const before = await migrate(database.url, [
      ...eventStoreMigrations,
      ...ownMigrations.filter((migration) => numberOf(migration) <= 4),
    ]);
    await before.query(OLD_ROWS);
    await before.destroy();
    const after = await migrate(database.url, [...eventStoreMigrations, ...ownMigrations]);
    try {
      expect(
        await after.query('SELECT order_id, profile, weights, workload_class FROM orders ORDER BY order_id'),
      ).toEqual([
        { order_id: 'ord_a', profile: 'fastest', weights: null, workload_class: 'general' },
        { order_id: 'ord_b', profile: 'balanced', weights: null, workload_class: 'general' },
      ]);
      expect(
        await after.query('SELECT provider_id, eras_closed FROM providers ORDER BY provider_id'),
      ).toEqual([
        { provider_id: 'prv_new', eras_closed: 0 },
        { provider_id: 'prv_old', eras_closed: 7 },
      ]);
    } finally {
      await after.destroy();
      await database.drop();
    }
  }, 60_000);
});
