import { eventually } from './eventually.ts';

type Queries = { query<T>(sql: string): Promise<T> };

/** What `ReadModelOperations` of a running service offers. */
type Operations = {
  start(name: string): Promise<void>;
  find(name: string): Promise<{
    readonly tables: readonly string[];
    readonly running: boolean;
    readonly progress: unknown;
    readonly failure: unknown;
    readonly last: { readonly finishedAtMs: number } | null;
  }>;
};

export type TableRows = Readonly<Record<string, readonly string[]>>;

/** Every row of the tables as Postgres writes it, in the order of the bytes. */
export const tableRows = async (database: Queries, tables: readonly string[]): Promise<TableRows> => {
  const rows: Record<string, string[]> = {};
  for (const table of tables) {
    const lines = await database.query<{ line: string }[]>(
      `SELECT r::text AS line FROM ${table} AS r ORDER BY r::text COLLATE "C"`,
    );
    rows[table] = lines.map(({ line }) => line);
  }
  return rows;
};

/**
 * Spoils the tables of a read model, has the running service rebuild them, and gives what they held before and hold now.
 *
 * @param spoil SQL that changes them in a way that a rebuild must undo
 * @throws Error when the rebuild fails, or spoiling changes nothing
 */
export const spoilAndRebuild = async (
  database: Queries,
  operations: Operations,
  { name, spoil }: { readonly name: string; readonly spoil: readonly string[] },
): Promise<{ readonly before: TableRows; readonly after: TableRows }> => {
  const { tables, last } = await operations.find(name);
  const before = await tableRows(database, tables);
  for (const sql of spoil) await database.query(sql);
  if (JSON.stringify(await tableRows(database, tables)) === JSON.stringify(before)) {
    throw new Error(`nothing of ${name} was spoilt`);
  }
  await operations.start(name);
  const failure = await eventually(
    async () => {
      const state = await operations.find(name);
      const ended = state.failure !== null || state.last?.finishedAtMs !== last?.finishedAtMs;
      return !state.running && ended && { failure: state.failure };
    },
    { deadlineMs: 60_000 },
  );
  if (failure.failure !== null) throw new Error(`${name}: ${JSON.stringify(failure.failure)}`);
  return { before, after: await tableRows(database, tables) };
};
