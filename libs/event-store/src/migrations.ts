import { readdirSync, readFileSync } from 'node:fs';
import { inboxMigrationSql } from '@gridbourse/event-bus';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';

export type MigrationClass = new () => MigrationInterface;

/** TypeORM sorts migrations by the 13 digits at the end of their names. */
const SHARED_ORDER = 1_700_000_000_000;
const SERVICE_ORDER = 1_800_000_000_000;

const migrationClass = (name: string, sql: () => string): MigrationClass =>
  class implements MigrationInterface {
    name = name;

    async up(runner: QueryRunner): Promise<void> {
      await runner.query(sql());
    }

    down(): Promise<void> {
      return Promise.reject(new Error(`${name} cannot be undone: migrations go forward only`));
    }
  };

/** Tables of the event store, its outbox and the inbox. Runs before the migrations of `sqlMigrations`. */
const eventStoreMigration: MigrationClass = migrationClass(
  `EventStore${SHARED_ORDER + 1}`,
  () =>
    readFileSync(new URL('../migrations/0001-event-store.sql', import.meta.url), 'utf8') +
    inboxMigrationSql(),
);

const fromFile = (number: number, title: string, file: string): MigrationClass =>
  migrationClass(`EventStore${title}${SHARED_ORDER + number}`, () =>
    readFileSync(new URL(`../migrations/${file}`, import.meta.url), 'utf8'),
  );

/** The checkpoints of subscriptions, for a consumer's database that has no event store of its own. */
export const subscriptionMigration: MigrationClass = fromFile(13, 'Subscriptions', '0004-subscriptions.sql');

/** Everything that the event store needs, in order. Runs before the migrations of `sqlMigrations`. */
export const eventStoreMigrations: readonly MigrationClass[] = [
  eventStoreMigration,
  fromFile(11, 'AppendInSets', '0002-append-in-sets.sql'),
  fromFile(12, 'Snapshots', '0003-snapshots.sql'),
  subscriptionMigration,
  fromFile(14, 'Rebuilds', '0005-rebuilds.sql'),
  fromFile(15, 'Journal', '0006-journal.sql'),
  fromFile(16, 'EventsAsWritten', '0007-events-as-written.sql'),
  fromFile(17, 'AppendByCopy', '0008-append-by-copy.sql'),
  fromFile(18, 'RowXmin', '0009-row-xmin.sql'),
  fromFile(19, 'OrderOfNewStreams', '0010-order-of-new-streams.sql'),
  fromFile(20, 'NoIndexOfTheOutbox', '0011-no-index-of-the-outbox.sql'),
];

const pascal = (text: string): string =>
  text
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');

/**
 * Migrations from the files `0001-what-it-does.sql` … of a folder, in the order of their numbers. A file may hold several
 * statements; it runs in one transaction.
 *
 * @param prefix whose migrations they are, for example `matchmaker`: part of the names that the database remembers
 * @throws Error for two files with one number
 */
export const sqlMigrations = (dir: URL, prefix: string): MigrationClass[] => {
  const folder = dir.href.endsWith('/') ? dir : new URL(`${dir.href}/`);
  const files = readdirSync(folder)
    .map((file) => /^(\d{4})-(.+)\.sql$/.exec(file))
    .filter((match) => match !== null)
    .sort((a, b) => Number(a[1]) - Number(b[1]));
  const numbers = files.map((match) => match[1]);
  if (new Set(numbers).size !== numbers.length)
    throw new Error(`two migrations with one number in ${folder.href}`);
  return files.map(([file, number, title]) =>
    migrationClass(`${pascal(prefix)}${pascal(title!)}${SERVICE_ORDER + Number(number)}`, () =>
      readFileSync(new URL(file, folder), 'utf8'),
    ),
  );
};

/**
 * Brings the database to the latest form. Processes that start at once wait for each other (TypeORM itself has no lock).
 * Uses two connections of the pool.
 *
 * @returns the names of the migrations that were run now
 */
export const migrate = async (dataSource: DataSource): Promise<string[]> => {
  const lock = `hashtextextended('gridbourse:migrations', 0)`;
  const runner = dataSource.createQueryRunner();
  try {
    await runner.query(`SELECT pg_advisory_lock(${lock})`);
    try {
      return (await dataSource.runMigrations({ transaction: 'each' })).map((migration) => migration.name);
    } finally {
      await runner.query(`SELECT pg_advisory_unlock(${lock})`);
    }
  } finally {
    await runner.release();
  }
};
