import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { testDatabase } from '@gridbourse/testing';
import { DataSource } from 'typeorm';
import { eventStoreMigrations, migrate, sqlMigrations } from './index.ts';

const nothing = (): void => undefined;
/** TypeORM writes a failed migration to the console. */
const quiet = {
  type: 'postgres',
  logger: {
    ...{ logQuery: nothing, logQueryError: nothing, logQuerySlow: nothing },
    ...{ logSchemaBuild: nothing, logMigration: nothing, log: nothing },
  },
} as const;

const folderWith = (files: Record<string, string>): URL => {
  const folder = mkdtempSync(join(tmpdir(), 'gridbourse-migrations-'));
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(folder, name), sql);
  return pathToFileURL(folder);
};

describe('migrations', () => {
  it('run once and in order, though several processes start together', async () => {
    const database = await testDatabase('empty');
    const migrations = [
      ...sqlMigrations(
        folderWith({
          '0002-add-colour.sql': 'ALTER TABLE things ADD colour text; CREATE INDEX ON things (colour);',
          '0001-things.sql': 'CREATE TABLE things (name text); INSERT INTO things VALUES (1);',
          'README.md': 'not SQL',
        }),
        'matchmaker',
      ),
      ...eventStoreMigrations,
    ];
    const sources = await Promise.all(
      [1, 2, 3].map(() => new DataSource({ type: 'postgres', url: database.url, migrations }).initialize()),
    );
    const ran = (await Promise.all(sources.map(migrate))).flat();
    expect(ran).toEqual([
      'EventStore1700000000001',
      'EventStoreAppendInSets1700000000011',
      'EventStoreSnapshots1700000000012',
      'EventStoreSubscriptions1700000000013',
      'EventStoreRebuilds1700000000014',
      'EventStoreJournal1700000000015',
      'EventStoreEventsAsWritten1700000000016',
      'EventStoreAppendByCopy1700000000017',
      'EventStoreRowXmin1700000000018',
      'EventStoreOrderOfNewStreams1700000000019',
      'EventStoreNoIndexOfTheOutbox1700000000020',
      'MatchmakerThings1800000000001',
      'MatchmakerAddColour1800000000002',
    ]);
    expect(await sources[0]!.query('SELECT colour FROM things')).toHaveLength(1);
    expect(await sources[0]!.query('SELECT * FROM events, streams, bus_inbox')).toEqual([]);
    await Promise.all(sources.map((source) => source.destroy()));
    await database.drop();
  });

  it('leave nothing behind when one fails', async () => {
    const database = await testDatabase('empty');
    const migrations = sqlMigrations(
      folderWith({ '0001-bad.sql': 'CREATE TABLE a (b text); SELECT nonsense;' }),
      'x',
    );
    const source = await new DataSource({ ...quiet, url: database.url, migrations }).initialize();
    await expect(migrate(source)).rejects.toThrow('nonsense');
    await expect(source.query('SELECT * FROM a')).rejects.toThrow('does not exist');
    await source.destroy();
    await database.drop();
  });

  it('refuse two files with one number', () => {
    const folder = folderWith({ '0001-a.sql': '', '0001-b.sql': '' });
    expect(() => sqlMigrations(folder, 'x')).toThrow('two migrations with one number');
  });
});
