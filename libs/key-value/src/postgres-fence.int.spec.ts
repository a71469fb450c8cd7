import { eventually, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DataSource } from 'typeorm';
import { Locks } from './locks.ts';
import { MemoryKeyValue } from './memory/memory-key-value.ts';
import { fenceMigrationSql, passFence } from './postgres-fence.ts';

// Real here: Postgres, with two connections that wait for each other.

let database: TestDatabase;
let source: DataSource;
beforeAll(async () => {
  database = await testDatabase('fence');
  source = await new DataSource({ type: 'postgres', url: database.url, poolSize: 4 }).initialize();
  await source.query(`${fenceMigrationSql} CREATE TABLE writes (token bigint, at bigserial)`);
});
beforeEach(() => source.query('TRUNCATE fences, writes'));
afterAll(async () => {
  await source.destroy();
  await database.drop();
});

const write = (token: bigint, resource = 'r'): Promise<void> =>
  source.transaction(async (manager) => {
    await passFence(manager, resource, token);
    await manager.query('INSERT INTO writes (token) VALUES ($1)', [String(token)]);
  });

describe('a fence', () => {
  it('lets each holder in until a later one was there', async () => {
    await write(5n);
    await write(5n);
    await write(1_767_225_600_000_000n);
    await expect(write(5n)).rejects.toMatchObject({ kind: 'conflict', code: 'fenced_off' });
    await write(4n, 'another resource');
    expect(await source.query('SELECT count(*)::int AS n FROM writes')).toEqual([{ n: 4 }]);
  });

  it('stops a holder that was suspended, and wakes up after its time', async () => {
    let now = 1_000;
    const store = new MemoryKeyValue({ clock: { now: () => now } });
    const locks = new Locks(store, { scope: 's', ttlMs: 60_000 });
    const sleeper = (await locks.acquire('r'))!;
    now += 60_000;
    const successor = (await locks.acquire('r'))!;
    await write(successor.token);
    await expect(write(sleeper.token)).rejects.toMatchObject({ code: 'fenced_off' });
    await Promise.all([sleeper.release(), successor.release()]);
  });

  it('lets nobody in between a holder that has passed and its commit', async () => {
    const order: string[] = [];
    let later!: Promise<void>;
    await source.transaction(async (manager) => {
      await passFence(manager, 'r', 1n);
      later = write(2n).then(() => void order.push('later holder'));
      await eventually(async () => {
        const waiting = await source.query<unknown[]>(
          'SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0',
        );
        expect(waiting).toHaveLength(1);
      });
      order.push('first holder');
    });
    await later;
    expect(order).toEqual(['first holder', 'later holder']);
  });

  it('leaves writes in the order of their tokens, whoever comes when', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.bigInt({ min: 1n, max: 6n }), { minLength: 2, maxLength: 8 }),
        async (tokens) => {
          await source.query('TRUNCATE fences, writes');
          await Promise.allSettled(tokens.map((token) => write(token)));
          const rows = await source.query<{ token: string }[]>('SELECT token FROM writes ORDER BY at');
          const written = rows.map((row) => Number(row.token));
          expect(written).toEqual([...written].sort((a, b) => a - b));
          const largest = tokens.reduce((a, b) => (a > b ? a : b));
          expect(written.at(-1)).toBe(Number(largest));
        },
      ),
      { numRuns: 30 },
    );
  });
});
