import { testDatabase, type TestDatabase } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DataSource } from 'typeorm';
import { copyIn } from './copy-in.ts';
import { CopyRows } from './copy-rows.ts';

// Real here: Postgres, and the driver.

let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  database = await testDatabase('copy_rows');
  dataSource = await new DataSource({ type: 'postgres', url: database.url }).initialize();
  await dataSource.query(
    'CREATE TABLE things (place int, word text, big bigint, at timestamptz, yes boolean, tree jsonb)',
  );
});
afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
});

type Thing = {
  readonly word: string | null;
  readonly big: number | bigint;
  readonly atMs: number;
  readonly yes: boolean;
  readonly tree: unknown;
};

const received = async (things: readonly Thing[]): Promise<unknown> => {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.query('TRUNCATE things');
    const rows = new CopyRows(6);
    for (const [place, { word, big, atMs, yes, tree }] of things.entries()) {
      rows.row();
      rows.int(place);
      if (word === null) rows.null();
      else rows.text(word);
      rows.bigint(big);
      rows.timestamp(atMs);
      rows.boolean(yes);
      rows.jsonb(JSON.stringify(tree));
    }
    await copyIn(await runner.connect(), 'COPY things FROM STDIN (FORMAT binary)', rows);
    return await runner.query(
      `SELECT word, big, (extract(epoch FROM at) * 1000)::bigint AS at_ms, yes, tree FROM things ORDER BY place`,
    );
  } finally {
    await runner.release();
  }
};

const asSent = (things: readonly Thing[]): unknown =>
  things.map(({ word, big, atMs, yes, tree }) => ({
    ...{ word, big: String(big), at_ms: String(Math.trunc(atMs)), yes, tree },
  }));

describe('rows for COPY', () => {
  it('come as they are: any text, any number that the type holds, any time', async () => {
    const word = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', ''));
    const thing = fc.record({
      word: fc.option(word),
      big: fc.oneof(fc.maxSafeNat(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
      atMs: fc.integer({ min: -2_000_000_000_000, max: 4_000_000_000_000 }),
      yes: fc.boolean(),
      tree: fc.oneof(fc.constant(null), fc.array(word), fc.record({ word, count: fc.integer() })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(thing, { maxLength: 20 }), async (things) => {
        expect(await received(things)).toEqual(asSent(things));
      }),
      { numRuns: 40 },
    );
  });

  it('come whole, where they are larger than what is sent at once', async () => {
    const sizes = [0, 1, 87_379, 87_380, 87_381, 262_144, 1_000_000];
    const things = [...sizes, ...sizes].map((size, at) => ({
      ...{ word: (at % 2 === 0 ? 'x' : '🜂').repeat(size / (1 + (at % 2))), big: 2 ** 32 - 1 + at },
      atMs: 0.9,
      yes: at % 2 === 0,
      tree: { word: 'é'.repeat(size) },
    }));
    expect(await received(things)).toEqual(asSent(things));
  });

  it('are not mixed up with those of other copies on their way, nor after one that failed', async () => {
    const table = 'COPY words FROM STDIN (FORMAT binary)';
    await dataSource.query('CREATE TABLE words (place int PRIMARY KEY, word text)');
    const rowsOf = (from: number, word: string): CopyRows => {
      const rows = new CopyRows(2);
      for (let place = from; place < from + 1_000; place += 1) {
        rows.row();
        rows.int(place);
        rows.text(word);
      }
      return rows;
    };
    const runners = [1, 2, 3].map(() => dataSource.createQueryRunner());
    const copied = async (nth: number, from: number, word: string): Promise<void> =>
      copyIn(await runners[nth]!.connect(), table, rowsOf(from, word));
    try {
      for (const runner of runners) await runner.connect();
      for (let round = 0; round < 4; round += 1) {
        const from = round * 3_000;
        const words = ['a', 'b', 'c'].map((word) => `${word}${round}`.repeat(300));
        const failing = round > 0 && copied(0, 0, 'refused'.repeat(100)).catch((error: unknown) => error);
        if (failing) expect(await failing).toMatchObject({ code: '23505' });
        await Promise.all(words.map((word, nth) => copied(nth, from + nth * 1_000, word)));
        const seen = await dataSource.query<{ word: string; from: number; rows: number }[]>(
          `SELECT word, min(place) AS "from", count(*)::int AS rows FROM words WHERE place >= $1 GROUP BY word ORDER BY 2`,
          [from],
        );
        expect(seen).toEqual(words.map((word, nth) => ({ word, from: from + nth * 1_000, rows: 1_000 })));
      }
    } finally {
      for (const runner of runners) await runner.release();
    }
  });
});
