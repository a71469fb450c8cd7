import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { recordInbox } from '@gridbourse/event-bus';
import { conflict } from '@gridbourse/kernel';
import { eventually } from '@gridbourse/testing';
import { awayDatabase, connectionLost, losingTheFirstAnswer, withCommits } from '../test/commit-faults.ts';
import { CountedBaskets } from '../test/counted-baskets.ts';
import { added, openShop, range, type Shop, type ShopEvent } from '../test/shop.ts';
import type { Decision, GroupCommitWriter } from './index.ts';

/** Generous: other suites run beside this one. */
jest.setTimeout(60_000);

let shop: Shop;
let baskets: CountedBaskets;
let writer: GroupCommitWriter<ShopEvent>;

/** Adds an item and answers how many there are. */
const add =
  (
    id: string,
    more: Partial<Decision<ShopEvent, number>> & { item?: string; limit?: number } = {},
  ): (() => Decision<ShopEvent, number>) =>
  () => {
    const streamId = `basket/${id}`;
    const count = baskets.count(streamId);
    if (count >= (more.limit ?? 1_000)) throw conflict('basket_full', 'no room');
    baskets.addTo(streamId);
    return {
      appends: [{ streamId, expectedVersion: count, events: [added(more.item ?? 'gpu')] }],
      result: count + 1,
      ...(more.inTransaction && { inTransaction: more.inTransaction }),
    };
  };

const stored = (id: string): Promise<number> => baskets.stored(`basket/${id}`);

beforeEach(async () => {
  shop = await openShop();
  baskets = new CountedBaskets(shop);
  writer = baskets.writer();
});
afterEach(async () => {
  await writer.stop();
  await shop.close();
});

describe('the group commit writer', () => {
  it('carries out commands in order, many in one transaction', async () => {
    let commits = 0;
    writer = baskets.writer({ afterCommit: () => (commits += 1) });
    const results = await Promise.all(range(300).map((n) => writer.execute(add(`b${n % 3}`))));
    expect(results.filter((_, i) => i % 3 === 0)).toEqual(range(100));
    expect(await Promise.all(['b0', 'b1', 'b2'].map(stored))).toEqual([100, 100, 100]);
    expect(commits).toBeLessThanOrEqual(3);
    const [row] = await shop.dataSource.query<{ n: string }[]>('SELECT count(DISTINCT tx) AS n FROM events');
    expect(Number(row!.n)).toBe(commits);
  });

  it('rejects what the decision refuses, alone', async () => {
    const settled = await Promise.allSettled(range(5).map(() => writer.execute(add('small', { limit: 2 }))));
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ]);
    expect((settled[2] as PromiseRejectedResult).reason).toMatchObject({ code: 'basket_full' });
    expect(await stored('small')).toBe(2);
    expect(baskets.reloads).toBe(0);
  });

  it('lets a poisoned command fail alone, and carries out the others of its batch in their order', async () => {
    const poison = (): Promise<void> => Promise.reject(new Error('poison'));
    const settled = await Promise.allSettled([
      writer.execute(add('a')),
      writer.execute(add('a', { inTransaction: poison })),
      writer.execute(add('a')),
      writer.execute(add('b', { item: 'NUL \u0000' })),
      writer.execute(add('b')),
    ]);
    expect(settled.map((s) => (s.status === 'fulfilled' ? s.value : (s.reason as Error).message))).toEqual([
      1,
      'poison',
      2,
      'text with NUL characters cannot be stored',
      1,
    ]);
    expect([await stored('a'), await stored('b')]).toEqual([2, 1]);
    expect(baskets.all).toEqual(
      new Map([
        ['basket/a', 2],
        ['basket/b', 1],
      ]),
    );
    expect(await writer.execute(add('a'))).toBe(3);
  });

  it('takes a refusal back when what it rested on could not be stored', async () => {
    const poison = (): Promise<void> => Promise.reject(new Error('poison'));
    const settled = await Promise.allSettled([
      writer.execute(add('last', { limit: 1, inTransaction: poison })),
      writer.execute(add('last', { limit: 1 })),
      writer.execute(add('last', { limit: 1 })),
    ]);
    expect(
      settled.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message)),
    ).toEqual(['poison', 1, 'no room']);
    expect(await stored('last')).toBe(1);
  });

  it('finds one poisoned command among many batches of commands, and loses no other', async () => {
    writer = baskets.writer({ maxBatch: 50 });
    const poisoned = new Set([7, 60, 61, 149]);
    const settled = await Promise.allSettled(
      range(150).map((n) =>
        writer.execute(
          add(`p${n % 5}`, {
            ...(poisoned.has(n) && { inTransaction: () => Promise.reject(new Error(`poison ${n}`)) }),
          }),
        ),
      ),
    );
    const failed = settled.flatMap((one, i) => (one.status === 'rejected' ? [i + 1] : []));
    expect(failed).toEqual([...poisoned]);
    const counts = await Promise.all(range(5).map((n) => stored(`p${n - 1}`)));
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(146);
    expect(counts).toEqual(range(5).map((n) => baskets.count(`basket/p${n - 1}`)));
  });

  it('rebuilds memory when another writer was faster', async () => {
    await writer.execute(add('a'));
    await shop.dataSource.transaction((manager) =>
      shop.store.append(manager, [
        { streamId: 'basket/a', expectedVersion: 1, events: [added('by another')] },
      ]),
    );
    expect(await writer.execute(add('a'))).toBe(3);
    expect(baskets.reloads).toBe(1);
  });

  it('leaves out what the inbox has seen, and undoes it in memory', async () => {
    const once = (sequence: number): Partial<Decision<ShopEvent, number>> => ({
      inTransaction: async (manager) => {
        const entry = { consumer: 'shop', topic: 't', key: 'k', sequence };
        return (await recordInbox(manager, entry)) === 'duplicate' ? 'skip' : undefined;
      },
    });
    await writer.execute(add('a', once(1)));
    await Promise.all([
      writer.execute(add('a')),
      writer.execute(add('a', once(1))),
      writer.execute(add('a', once(2))),
    ]);
    expect(await stored('a')).toBe(3);
    expect(baskets.count('basket/a')).toBe(3);
    await expect(writer.execute(add('a', once(9)))).rejects.toMatchObject({ code: 'inbox_gap' });
    expect(await writer.execute(add('a'))).toBe(4);
  });

  it('carries out commands that append nothing', async () => {
    const written: string[] = [];
    const result = await writer.execute(() => ({
      appends: [],
      result: 'done',
      inTransaction: async (manager) => {
        await manager.query('SELECT 1');
        written.push('in transaction');
      },
    }));
    expect([result, written]).toEqual(['done', ['in transaction']]);
  });

  it('refuses more than its queue holds', async () => {
    writer = baskets.writer({ maxQueue: 3 });
    const settled = await Promise.allSettled(range(5).map(() => writer.execute(add('a'))));
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    expect((settled[3] as PromiseRejectedResult).reason).toMatchObject({
      kind: 'exhausted',
      code: 'queue_full',
    });
  });

  it('drains its queue when it stops, and takes nothing more', async () => {
    writer = baskets.writer({ maxBatch: 2 });
    const pending = range(7).map(() => writer.execute(add('a')));
    await writer.stop();
    await expect(writer.execute(add('a'))).rejects.toMatchObject({ code: 'writer_stopping' });
    expect(await Promise.all(pending)).toEqual(range(7));
    expect(await stored('a')).toBe(7);
  });
});

describe('the group commit writer, when the connection breaks', () => {
  it('does nothing twice when only the answer to a commit was lost', async () => {
    writer = baskets.writer({ dataSource: losingTheFirstAnswer(shop.dataSource) });
    expect(await Promise.all([writer.execute(add('a')), writer.execute(add('a'))])).toEqual([1, 2]);
    expect(await stored('a')).toBe(2);
    expect(baskets.reloads).toBe(0);
  });

  it('does nothing twice, though its events bear the number of an event before them', async () => {
    writer = baskets.writer({ dataSource: losingTheFirstAnswer(shop.dataSource) });
    let decisions = 0;
    await writer.execute(() => {
      decisions += 1;
      return {
        appends: [{ streamId: 'basket/late', expectedVersion: decisions, events: [added('gpu')] }],
        result: null,
        // Another transaction, with a higher number, appends to the stream and is committed first.
        inTransaction: async (manager) => {
          await manager.query('SELECT pg_current_xact_id()');
          if (decisions > 1) return;
          await shop.dataSource.transaction((other) =>
            shop.store.append(other, [
              { streamId: 'basket/late', expectedVersion: 0, events: [added('by another')] },
            ]),
          );
        },
      };
    });
    expect([decisions, await stored('late')]).toEqual([1, 2]);
  });

  it('carries out again what did not get through', async () => {
    let broken = false;
    writer = baskets.writer({
      dataSource: withCommits(shop.dataSource, async (commit, runner) => {
        if (broken) return commit();
        broken = true;
        const [row] = (await runner.query('SELECT pg_backend_pid() AS pid')) as { pid: number }[];
        await shop.dataSource.query('SELECT pg_terminate_backend($1, 5000)', [row!.pid]);
        await commit();
      }),
    });
    expect(await Promise.all([writer.execute(add('a')), writer.execute(add('a'))])).toEqual([1, 2]);
    expect(await stored('a')).toBe(2);
    expect(baskets.reloads).toBe(1);
  });

  it('says so when the database stays away, and goes on when it is back', async () => {
    const { dataSource, isAway, comeBack } = awayDatabase(shop.dataSource);
    writer = baskets.writer({
      dataSource,
      patienceMs: 100,
      onReload: () => (isAway() ? Promise.reject(connectionLost()) : baskets.reload()),
    });
    const pending = writer.execute(add('a'));
    await expect(pending).rejects.toMatchObject({ kind: 'unavailable', code: 'store_unavailable' });
    comeBack();
    await eventually(async () => expect(await writer.execute(add('a'))).toBe(1));
    expect(await stored('a')).toBe(1);
  });
});
