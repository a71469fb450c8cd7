import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { added, openShop, range, type Shop } from '../test/shop.ts';
import { type Cursor, START } from './index.ts';

/** Real: Postgres, and writers that commit in whatever order it comes to. */
let shop: Shop;

beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

type Seen = { readonly position: string; readonly name: string };
type Reader = { readonly seen: Seen[]; readOn(): Promise<void> };

/** What nearly everyone writes first: goes on behind the highest position it has seen. */
const naiveReader = (): Reader => {
  const seen: Seen[] = [];
  return {
    seen,
    readOn: async () => {
      seen.push(
        ...(await shop.dataSource.query<Seen[]>(
          `SELECT position, stream_id || '@' || version AS name FROM events WHERE position > $1
           ORDER BY position LIMIT 50`,
          [seen.at(-1)?.position ?? '0'],
        )),
      );
    },
  };
};

const ourReader = (limit: number): Reader => {
  const seen: Seen[] = [];
  let after: Cursor = START;
  return {
    seen,
    readOn: async () => {
      for (const { streamId, version, tx, position } of await shop.store.read(shop.dataSource.manager, {
        after,
        limit,
      })) {
        seen.push({ position, name: `${streamId}@${version}` });
        after = { tx, position };
      }
    },
  };
};

/** A writer of one stream. Between its events and its commit it does this and that, now more, now less. */
const write = async (streamId: string, transactions: number, work: () => number): Promise<void> => {
  for (let version = 0; version < transactions; version += 1) {
    await shop.dataSource.transaction(async (manager) => {
      await shop.store.append(manager, [{ streamId, expectedVersion: version, events: [added('x')] }]);
      for (let n = work(); n > 0; n -= 1) await manager.query('SELECT 1');
    });
  }
};

const names = (reader: Reader): string[] => reader.seen.map(({ name }) => name);

describe('many writers at once', () => {
  it('make a reader by position lose events for good, and none of ours, which all see one order', async () => {
    const naive = naiveReader();
    const ours = [ourReader(1), ourReader(7), ourReader(500)];
    const written: string[] = [];
    let turn = 0;
    const uneven = (): number => ((turn += 1) % 5 === 0 ? 12 : turn % 3);

    await eventually(
      async () => {
        const round = written.length;
        const streams = range(6).map((n) => `basket/r${round}-${n}`);
        let writing = true;
        const following = [naive, ...ours].map(async (reader) => {
          while (writing) await reader.readOn();
        });
        await Promise.all(streams.map((stream) => write(stream, 20, uneven)));
        writing = false;
        await Promise.all(following);
        written.push(...streams.flatMap((stream) => range(20).map((version) => `${stream}@${version}`)));

        await eventually(
          async () => {
            for (const reader of ours) {
              await reader.readOn();
              expect(reader.seen).toHaveLength(written.length);
            }
          },
          { everyMs: 1, deadlineMs: 20_000 },
        );
        for (let before = -1; naive.seen.length > before;) {
          before = naive.seen.length;
          await naive.readOn();
        }
        return naive.seen.length < written.length;
      },
      { deadlineMs: 30_000, everyMs: 1 },
    );

    // The naive reader has read to the end, and lacks some: those are lost to it.
    const read = new Set(names(naive));
    expect(written.filter((name) => !read.has(name)).length).toBeGreaterThan(0);
    for (const reader of ours) {
      expect([...names(reader)].sort()).toEqual([...written].sort());
      expect(names(reader)).toEqual(names(ours[0]!));
    }
    for (const stream of new Set(written.map((name) => name.split('@')[0]!))) {
      const mine = names(ours[0]!).filter((name) => name.startsWith(`${stream}@`));
      expect(mine).toEqual(range(20).map((version) => `${stream}@${version}`));
    }
  }, 60_000);
});
