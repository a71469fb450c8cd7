import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';

const FOLDER = new URL('../../migrations/bus/', import.meta.url);

type Step = { number: number; sql: string };

const steps = (): Step[] =>
  readdirSync(FOLDER)
    .filter((file) => /^\d{4}-.*\.sql$/.test(file))
    .sort()
    .map((file) => ({
      number: Number(file.slice(0, 4)),
      sql: readFileSync(new URL(file, FOLDER), 'utf8'),
    }));

/** Brings the database of the bus to its latest form. Processes that start at once wait for each other. */
export const migrateBusDatabase = async (databaseUrl: string): Promise<void> => {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'gridbourse-bus-schema' });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('gridbourse-bus:schema', 0))`);
    await client.query('CREATE TABLE IF NOT EXISTS bus_schema (number int PRIMARY KEY)');
    const { rows } = await client.query<{ number: number }>('SELECT number FROM bus_schema');
    const applied = new Set(rows.map((row) => row.number));
    for (const step of steps().filter(({ number }) => !applied.has(number))) {
      await client.query(step.sql);
      await client.query('INSERT INTO bus_schema VALUES ($1)', [step.number]);
    }
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
};
