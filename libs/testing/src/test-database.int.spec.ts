import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { eventually } from './eventually.ts';
import { testDatabase } from './test-database.ts';

const query = async (url: string, sql: string): Promise<unknown[]> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
};

describe('a test database', () => {
  it('is migrated once, cloned for each caller, and gone after drop', async () => {
    let migrations = 0;
    const migrate = async (url: string): Promise<void> => {
      migrations += 1;
      await query(url, 'CREATE TABLE things (name text)');
    };
    const [a, b] = await Promise.all([
      testDatabase('testing_self', migrate),
      testDatabase('testing_self', migrate),
    ]);
    await query(a.url, `INSERT INTO things VALUES ('only in a')`);
    expect(await query(a.url, 'SELECT * FROM things')).toHaveLength(1);
    expect(await query(b.url, 'SELECT * FROM things')).toHaveLength(0);
    expect(migrations).toBe(1);
    await Promise.all([a.drop(), b.drop()]);
    await expect(query(a.url, 'SELECT 1')).rejects.toThrow('does not exist');
  });
});

describe('eventually', () => {
  it('gives the value as soon as there is one', async () => {
    let calls = 0;
    const value = await eventually(
      () => {
        calls += 1;
        return calls < 3 ? null : calls;
      },
      { everyMs: 1 },
    );
    expect(value).toBe(3);
  });

  it('says why it gave up', async () => {
    const check = (): void => {
      throw new Error('still dark');
    };
    await expect(eventually(check, { deadlineMs: 20, everyMs: 5 })).rejects.toThrow(
      'not within 20 ms: still dark',
    );
  });
});
