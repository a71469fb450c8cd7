import { eventStoreMigrations, migrate, sqlMigrations } from '@gridbourse/event-store';
import { testDatabase } from '@gridbourse/testing';
import { expect } from '@jest/globals';
import { DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';

/** Two providers of one account, one of another; the third account has none. */
export const PROVIDERS = { p1: 'a', p2: 'a', p3: 'b' } as const;

/** Tables as the migrations make them, with these providers on a real Postgres, for a test of what is read from them. */
export class ReadTables {
  private constructor(
    readonly dataSource: DataSource,
    private readonly drop: () => Promise<void>,
  ) {}

  static async create(entities: EntityTarget<ObjectLiteral>[]): Promise<ReadTables> {
    const database = await testDatabase('readers');
    const options = { type: 'postgres', url: database.url } as const;
    const setUp = await new DataSource({
      ...options,
      migrations: [
        ...eventStoreMigrations,
        ...sqlMigrations(new URL('../migrations/', import.meta.url), 'matchmaker'),
      ],
    }).initialize();
    await migrate(setUp);
    await setUp.destroy();
    // One connection: what was read through it is counted by the time that it is asked for.
    const dataSource = await new DataSource({
      ...options,
      entities: entities as never[],
      poolSize: 1,
    }).initialize();
    for (const [providerId, accountId] of Object.entries(PROVIDERS)) {
      await dataSource.query(
        `INSERT INTO providers (provider_id, account_id, name, place, attributes, tier, activated, suspended, presence, sequence)
         VALUES ($1, $2, '', '{}', '{}', 1, true, false, 'online', 1)`,
        [providerId, accountId],
      );
    }
    return new ReadTables(dataSource, () => database.drop());
  }

  async close(): Promise<void> {
    await this.dataSource.destroy();
    await this.drop();
  }

  /** How many rows of a table are read by that. */
  async readBy(
    table: string,
    work: () => Promise<unknown>,
  ): Promise<{ inSequence: number; byIndex: number }> {
    const before = await this.readSoFar(table);
    await work();
    const after = await this.readSoFar(table);
    return {
      inSequence: after.inSequence - before.inSequence,
      byIndex: after.byIndex - before.byIndex,
    };
  }

  private async readSoFar(table: string): Promise<{ inSequence: number; byIndex: number }> {
    await this.dataSource.query('SELECT pg_stat_force_next_flush()');
    const [read] = await this.dataSource.query<{ inSequence: number; byIndex: number }[]>(
      `SELECT seq_tup_read::int AS "inSequence", idx_tup_fetch::int AS "byIndex"
       FROM pg_stat_user_tables WHERE relname = $1`,
      [table],
    );
    return read!;
  }
}

/** Everything that is on the pages of a list, each of which keeps to its limit. */
export const allPages = async <Item>(
  limit: number,
  page: (cursor: string | undefined) => Promise<{ items: Item[]; nextCursor: string | null }>,
): Promise<Item[]> => {
  const found: Item[] = [];
  for (let cursor: string | undefined; ;) {
    const { items, nextCursor } = await page(cursor);
    expect(items.length).toBeLessThanOrEqual(limit);
    found.push(...items);
    if (nextCursor === null) return found;
    cursor = nextCursor;
  }
};
