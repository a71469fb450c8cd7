import { testDatabase, type TestDatabase } from '@gridbourse/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import { integer, micros } from './column-types.ts';
import { putRows } from './put-rows.ts';

// Real here: Postgres, and TypeORM's own reading of what was put.

@Entity('things')
class Thing {
  @PrimaryColumn({ type: 'text' }) id!: string;
  @Column({ type: 'text', nullable: true }) word!: string | null;
  @Column({ type: 'int' }) many!: number;
  @Column({ name: 'amount_micros', type: 'bigint', nullable: true, transformer: micros }) amount!:
    bigint | null;
  @Column({ name: 'at_ms', type: 'bigint', transformer: integer }) atMs!: number;
  @Column({ type: 'boolean' }) live!: boolean;
  @Column({ type: 'jsonb', nullable: true }) detail!: unknown;
}

let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  database = await testDatabase('put_rows');
  dataSource = await new DataSource({
    type: 'postgres',
    url: database.url,
    entities: [Thing],
    synchronize: true,
  }).initialize();
});
afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
});
beforeEach(() => dataSource.query('TRUNCATE things'));

const text = fc.string({ unit: 'grapheme' }).map((word) => word.replaceAll('\0', ''));
const contents = fc.record({
  word: fc.option(text),
  many: fc.integer(),
  amount: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  atMs: fc.maxSafeInteger(),
  live: fc.boolean(),
  detail: fc.option(fc.record({ list: fc.array(text), yes: fc.boolean(), nothing: fc.constant(null) })),
});
const things = fc.uniqueArray(fc.record({ id: fc.integer({ min: 1, max: 40 }).map(String), contents }), {
  selector: ({ id }) => id,
  maxLength: 20,
});

const put = (rows: readonly Thing[], isNew: (row: Thing) => boolean): Promise<void> =>
  dataSource.transaction((manager) => putRows(manager, Thing, rows, isNew));

describe('putting rows', () => {
  it('adds them or takes the place of those with their keys, as they are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(things, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async (rounds, told) => {
          await dataSource.query('TRUNCATE things');
          const expected = new Map<string, Thing>();
          for (const round of rounds) {
            const rows = round.map(({ id, contents: given }) => ({ id, ...given }));
            const before = new Set(expected.keys());
            await put(rows, ({ id }) => told && !before.has(id));
            for (const row of rows) expected.set(row.id, row);
          }
          const found = await dataSource.manager.find(Thing);
          expect(new Map(found.map((row) => [row.id, { ...row }]))).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('changes what is there before it adds what takes its place', async () => {
    await dataSource.query('CREATE UNIQUE INDEX one_living ON things (word) WHERE live');
    try {
      const row = (id: string, live: boolean): Thing => ({
        ...{ id, word: 'seat', many: 1, amount: null, atMs: 0, live, detail: null },
      });
      await put([row('a', true)], () => true);
      await put([row('b', true), row('a', false)], ({ id }) => id === 'b');
      const living = await dataSource.manager.findBy(Thing, { live: true });
      expect(living.map(({ id }) => id)).toEqual(['b']);
    } finally {
      await dataSource.query('DROP INDEX one_living');
    }
  });

  it('refuses a row that was called new and is there, and then none is put', async () => {
    const row: Thing = { id: 'a', word: 'first', many: 1, amount: 1n, atMs: 0, live: true, detail: {} };
    await put([row], () => true);
    const again = put(
      [
        { ...row, word: 'second' },
        { ...row, id: 'b' },
      ],
      () => true,
    );
    await expect(again).rejects.toMatchObject({ code: '23505' });
    const found = await dataSource.manager.find(Thing);
    expect(found.map(({ id, word }) => [id, word])).toEqual([['a', 'first']]);
  });
});
