import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';

/** The tables of the embedded bus, and those for what could not be handled, which every adapter has. */
export type TableSet = 'bus' | 'dead-letters';

const MIGRATIONS = new URL('../migrations/', import.meta.url);
const APPLIED: Readonly<Record<TableSet, string>> = {
  bus: 'bus_schema',
  'dead-letters': 'bus_dead_letter_schema',
};

type Step = { number: number; sql: string };

const stepsOf = (set: TableSet): Step[] => {
  const folder = new URL(`${set}/`, MIGRATIONS);
  return readdirSync(folder)
    .filter((file) => /^\d{4}-.*\.sql$/.test(file))
    .sort()
    .map((file) => ({ number: Number(file.slice(0, 4)), sql: readFileSync(new URL(file, folder), 'utf8') }));
};

const migrate = async (client: pg.Client, set: TableSet): Promise<void> => {
  const table = APPLIED[set];
  await client.query(`CREATE TABLE IF NOT EXISTS ${table} (number int PRIMARY KEY)`);
  const { rows } = await client.query<{ number: number }>(`SELECT number FROM ${table}`);
  const applied = new Set(rows.map((row) => row.number));
  for (const step of stepsOf(set).filter(({ number }) => !applied.has(number))) {
    await client.query(step.sql);
    await client.query(`INSERT INTO ${table} VALUES ($1)`, [step.number]);
  }
};

/** Brings tables of the bus to their latest form. Processes that start at once wait for each other. */
export const migrateTables = async (databaseUrl: string, sets: readonly TableSet[]): Promise<void> => {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'gridbourse-bus schema' });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('gridbourse-bus:schema', 0))`);
    for (const set of sets) await migrate(client, set);
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
};
