import { isConnectionError } from '@gridbourse/postgres';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { added, note, openShop, range, type Shop, type ShopEvent } from '../../test/shop.ts';
import type { Append } from '../index.ts';

// Real here: Postgres. What is appended in large numbers is copied into the table: it has to be the same.

jest.setTimeout(60_000);

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

const append = (appends: readonly Append<ShopEvent>[]): Promise<void> =>
  shop.dataSource.transaction((manager) => shop.store.append(manager, appends));

/** A hundred events and more, in a stream that no other append touches. */
const ballast = (streamId: string): Append<ShopEvent> => ({
  streamId,
  expectedVersion: 0,
  events: range(150).map((n) => note(`${n}`)),
});

/** An event each in many new streams, before and behind those of other appends in the order of ids. */
const crowd = (run: string): Append<ShopEvent>[] =>
  range(40).map((n) => ({
    streamId: `${n % 2 === 0 ? 'a' : 'z'}-crowd/${run}-${n}`,
    expectedVersion: 0,
    events: [n % 3 === 0 ? added('c') : note('c')],
  }));

const rowsOf = (prefix: string): Promise<unknown[]> =>
  shop.dataSource.query(
    `SELECT substr(e.stream_id, length($1) + 1) AS stream, e.version, e.type, e.schema_version, e.data::text,
            e.metadata::text, e.occurred_at, e.sequence, e.tx = s.tx AS of_last_append, s.version AS length,
            s.public_sequence, s.topic, replace(s.key, split_part($1, '/', 2), '') AS key
     FROM events e JOIN streams s USING (stream_id)
     WHERE e.stream_id LIKE $1 || '%' ORDER BY e.position`,
    [prefix],
  );

/** Appends to a few streams, some of them several times in a call; each with the version that those before it make. */
const calls = fc.array(
  fc.array(
    fc.record({
      stream: fc.constantFrom('a', 'b', 'c'),
      events: fc.array(
        fc.oneof(
          fc.string({ unit: 'grapheme' }).map((text) => added(text.replaceAll('\0', ''))),
          fc.constantFrom('x', 'é🜂', 'y'.repeat(300_000)).map(note),
        ),
        { maxLength: 4 },
      ),
    }),
    { minLength: 1, maxLength: 5 },
  ),
  { minLength: 1, maxLength: 3 },
);

describe('an append of many events', () => {
  let runs = 0;

  it('leaves the very rows that it leaves among few, in the same order, whatever streams it begins or goes on', async () => {
    await fc.assert(
      fc.asyncProperty(calls, async (generated) => {
        runs += 1;
        const made = async (how: 'few' | 'many'): Promise<unknown[]> => {
          const versions = new Map<string, number>();
          const prefix = `basket/${how}-${runs}-`;
          for (const [at, call] of generated.entries()) {
            const appends = call.map(({ stream, events }) => {
              const expectedVersion = versions.get(stream) ?? 0;
              versions.set(stream, expectedVersion + events.length);
              return {
                streamId: `${prefix}${stream}`,
                expectedVersion,
                events,
                metadata: { operator: `o${at}` },
              };
            });
            const more = (): Append<ShopEvent>[] => [
              ballast(`weight/${runs}-${at}`),
              ...crowd(`${runs}-${at}`),
            ];
            await append(how === 'few' ? appends : [...appends, ...more()]);
          }
          return rowsOf(prefix);
        };
        expect(await made('many')).toEqual(await made('few'));
      }),
      { numRuns: 25 },
    );
  });

  it('is refused as a whole, with the same word, when a stream is elsewhere or publishes elsewhere', async () => {
    for (const streamId of ['basket/known', 'basket/well (known)']) {
      await append([{ streamId, expectedVersion: 0, events: [added('a')] }]);
    }
    const others = [ballast('basket/other-1'), ballast('basket/other-2')];
    const refused = async (streamId: string, expectedVersion: number, event: ShopEvent, code: string) => {
      const one = { streamId, expectedVersion, events: [event] };
      const message = expect.stringContaining(streamId);
      await expect(append([others[0]!, one, others[1]!])).rejects.toMatchObject({ code, message });
    };
    await refused('basket/well (known)', 0, added('b'), 'version_conflict');
    await refused('basket/known', 0, added('b'), 'version_conflict');
    await refused('basket/known', 2, added('b'), 'version_conflict');
    await refused('basket/unknown', 3, added('b'), 'version_conflict');
    await refused('basket/known', 1, { type: 'TillOpened', tillId: 1 }, 'mixed_topics');
    expect(await rowsOf('basket/other')).toEqual([]);
    expect(await rowsOf('basket/known')).toHaveLength(1);
  });

  it('lets one of several writers begin the same streams, in whatever order they name them', async () => {
    for (const round of range(3)) {
      const streams = range(300).map((n) => `basket/race-${round}-${n}`);
      const begun = (ids: readonly string[]): Append<ShopEvent>[] =>
        ids.map((streamId) => ({ streamId, expectedVersion: 0, events: [added('a')] }));
      const settled = await Promise.allSettled(
        range(4).map((n) => append(begun(n % 2 === 0 ? streams : streams.toReversed()))),
      );
      expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const outcome of settled) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'version_conflict' });
      }
      expect(await rowsOf(`basket/race-${round}-`)).toHaveLength(300);
    }
  });

  it('that the server breaks off fails, and leaves the connection fit for the next transaction', async () => {
    const runner = shop.dataSource.createQueryRunner();
    try {
      await runner.query(
        `INSERT INTO events (stream_id, version, type, schema_version, data, metadata, occurred_at, tx)
         VALUES ('basket/taken', 140, 'NoteTaken', 1, '{}', '{}', now(), '1')`,
      );
      await runner.startTransaction();
      await expect(shop.store.append(runner.manager, [ballast('basket/taken')])).rejects.toMatchObject({
        code: '23505',
      });
      await runner.rollbackTransaction();
      await runner.startTransaction();
      await shop.store.append(runner.manager, [ballast('basket/free')]);
      await runner.commitTransaction();
      expect(await rowsOf('basket/free')).toHaveLength(150);
      expect(await rowsOf('basket/taken')).toEqual([]);
    } finally {
      await runner.release();
    }
  });

  it('whose connection is cut on the way fails as the database being away does', async () => {
    const [runner, holder] = [shop.dataSource.createQueryRunner(), shop.dataSource.createQueryRunner()];
    try {
      await holder.startTransaction();
      await holder.query('LOCK TABLE events IN EXCLUSIVE MODE');
      await runner.startTransaction();
      const [row] = (await runner.query('SELECT pg_backend_pid() AS pid')) as { pid: number }[];
      const failure = shop.store
        .append(runner.manager, [ballast('basket/cut')])
        .catch((error: unknown) => error);
      await eventually(async () => {
        const [waiting] = await shop.dataSource.query<unknown[]>(
          `SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock' AND query ~ 'COPY'`,
          [row!.pid],
        );
        return waiting !== undefined;
      });
      await shop.dataSource.query('SELECT pg_terminate_backend($1, 5000)', [row!.pid]);
      expect(isConnectionError(await failure)).toBe(true);
    } finally {
      await holder.rollbackTransaction();
      await holder.release();
      await runner.release();
    }
    // The pool may still hand out the connection that was cut.
    await eventually(async () => (await rowsOf('basket/cut')).length === 0);
  });
});
