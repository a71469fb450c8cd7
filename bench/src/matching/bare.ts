import pg from 'pg';
import { perSecond, timed } from '../frame/statistics.ts';

const TABLES = ['events', 'orders', 'leases', 'timeline'] as const;

/**
 * The limit that the database sets: the very rows of a run once more, into equal tables with the same indexes, so many orders
 * a commit, with bare INSERTs and nothing decided.
 * @returns orders a second
 */
export const bareInserts = async (url: string, orders: number, ordersAtOnce: number): Promise<number> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const batches = Math.ceil(orders / ordersAtOnce);
    const parts = new Map<string, string[]>();
    for (const table of TABLES) {
      await client.query(`CREATE TABLE bare_${table} (LIKE ${table} INCLUDING ALL EXCLUDING IDENTITY)`);
      const { rows } = await client.query<{ row: string }>(`SELECT to_json(t)::text AS row FROM ${table} t`);
      const each = Math.ceil(rows.length / batches);
      parts.set(
        table,
        Array.from(
          { length: batches },
          (_, at) =>
            `[${rows
              .slice(at * each, (at + 1) * each)
              .map(({ row }) => row)
              .join(',')}]`,
        ),
      );
    }
    const { ms } = await timed(async () => {
      for (let at = 0; at < batches; at += 1) {
        await client.query('BEGIN');
        for (const table of TABLES) {
          await client.query({
            name: table,
            text: `INSERT INTO bare_${table} SELECT * FROM json_populate_recordset(NULL::bare_${table}, $1::json)`,
            values: [parts.get(table)![at]!],
          });
        }
        await client.query('COMMIT');
      }
    });
    return perSecond(orders, ms);
  } finally {
    await client.end();
  }
};
