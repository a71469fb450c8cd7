import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { openScope, runInScope } from '@gridbourse/observability';
import { eventually } from '@gridbourse/testing';
import fc from 'fast-check';
import { added, note, openShop, paid, range, type Shop, type ShopEvent } from '../test/shop.ts';
import type { Append, Cursor, StoredEvent } from './index.ts';

/** Generous: other suites run beside this one, and a transaction of theirs holds our readers back too. */
jest.setTimeout(60_000);
const PATIENT = { deadlineMs: 30_000 };

let shop: Shop;
let streams = 0;
const tillOpen: ShopEvent = { type: 'TillOpened', tillId: 1 };
const newStream = (): string => `basket/b${(streams += 1)}`;

beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

const append = (...appends: Append<ShopEvent>[]): Promise<void> =>
  shop.dataSource.transaction((manager) => shop.store.append(manager, appends));
const history = (streamId: string): Promise<StoredEvent<ShopEvent>[]> =>
  shop.store.history(shop.dataSource.manager, streamId);
const one = (streamId: string, expectedVersion: number, ...events: ShopEvent[]): Append<ShopEvent> => ({
  streamId,
  expectedVersion,
  events,
});

/** A transaction that is open until told to commit. */
const openTransaction = async () => {
  const runner = shop.dataSource.createQueryRunner();
  await runner.startTransaction();
  return {
    manager: runner.manager,
    commit: async () => {
      await runner.commitTransaction();
      await runner.release();
    },
    rollback: async () => {
      await runner.rollbackTransaction();
      await runner.release();
    },
  };
};

describe('append and load', () => {
  it('gives back what was appended, in order, with amounts intact', async () => {
    const streamId = newStream();
    const events = [added('gpu', 2n ** 63n), note('call back'), paid(10n ** 15n)];
    await append(one(streamId, 0, ...events));
    await append(one(streamId, 3, added('cable')));
    expect(await shop.store.load(shop.dataSource.manager, streamId)).toEqual({
      version: 4,
      events: [...events, added('cable')],
    });
  });

  it('gives back any text as it was, in data, metadata and names', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'binary', maxLength: 12 }), { minLength: 1, maxLength: 6 }),
        fc.string({ unit: 'binary', maxLength: 12 }),
        async (texts, name) => {
          fc.pre([...texts, name].every((text) => !text.includes('\0') && text.isWellFormed()));
          const streamId = `${newStream()}-${name}`;
          const metadata = { operator: texts[0]! };
          await append({ ...one(streamId, 0, ...texts.map((text) => added(text))), metadata });
          const stored = await history(streamId);
          expect(stored.map(({ event }) => event)).toEqual(texts.map((text) => added(text)));
          expect(stored[0]!.metadata).toEqual(metadata);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('tells what only looks like an escape from what cannot be stored', async () => {
    const streamId = newStream();
    const texts = ['\\u0000', '\\\\ud83d', '\u0001', '🜂'].map((text) => added(text));
    await append(one(streamId, 0, ...texts));
    expect((await history(streamId)).map(({ event }) => event)).toEqual(texts);
  });

  it('loads what is behind a version', async () => {
    const streamId = newStream();
    await append(one(streamId, 0, added('1'), added('2'), added('3')));
    const manager = shop.dataSource.manager;
    expect(await shop.store.loadFrom(manager, streamId, 1)).toEqual({
      version: 3,
      events: [added('2'), added('3')],
    });
    expect(await shop.store.loadFrom(manager, streamId, 3)).toEqual({ version: 3, events: [] });
  });

  it('gives back many streams at once, each in its order, and leaves out those that are not there', async () => {
    const [a, b] = [newStream(), newStream()];
    await append(one(b, 0, added('1')), one(a, 0, note('x'), added('2')));
    await append(one(b, 1, added('3'), note('y')));
    const { manager } = shop.dataSource;
    const streams = await shop.store.loadMany(manager, [a, 'basket/none', b]);
    expect(Object.fromEntries(streams)).toEqual({
      [a]: [note('x'), added('2')],
      [b]: [added('1'), added('3'), note('y')],
    });
    expect(await shop.store.loadMany(manager, [])).toEqual(new Map());
  });

  it('has no events and version 0 for a stream that is not there', async () => {
    expect(await shop.store.load(shop.dataSource.manager, 'basket/none')).toEqual({ version: 0, events: [] });
  });

  it('tells when and in which place, and counts public events without gaps', async () => {
    const streamId = newStream();
    shop.clock.advance(1_234);
    await append(one(streamId, 0, note('first'), added('a'), note('second'), added('b')));
    await append(one(streamId, 4, added('c'), note('third')));
    const stored = await history(streamId);
    expect(stored.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(stored.map(({ sequence }) => sequence)).toEqual([null, 1, null, 2, 3, null]);
    expect(stored.every(({ occurredAtMs }) => occurredAtMs === shop.clock.now())).toBe(true);
    const positions = stored.map(({ position }) => BigInt(position));
    expect([...positions].sort((a, b) => (a < b ? -1 : 1))).toEqual(positions);
  });

  it('keeps what caused it: what it is told, or the trace of the work in hand', async () => {
    const streamId = newStream();
    const scope = openScope('shop');
    await runInScope(scope, () => append(one(streamId, 0, added('a'))));
    await append({ ...one(streamId, 1, added('b')), metadata: { causationId: 'x@1', operator: 'jo' } });
    await append(one(streamId, 2, added('c')));
    expect((await history(streamId)).map(({ metadata }) => metadata)).toEqual([
      { traceparent: `00-${scope.traceId}-${scope.spanId}-01` },
      { causationId: 'x@1', operator: 'jo' },
      {},
    ]);
  });

  it('takes many streams in one call, a stream several times, and appends without events', async () => {
    const [a, b, c] = [newStream(), newStream(), newStream()];
    await append(one(a, 0, added('1')), one(b, 0, added('2')), one(a, 1, added('3'), added('4')), one(c, 7));
    await append(one(b, 1, added('5')), one(a, 3, added('6')));
    expect((await history(a)).map(({ version, sequence }) => [version, sequence])).toEqual(
      range(4).map((n) => [n, n]),
    );
    expect((await shop.store.load(shop.dataSource.manager, b)).version).toBe(2);
    await append();
  });

  it.each([
    ['a stream that exists', 0],
    ['a version that is past', 1],
    ['a version that is yet to come', 3],
  ])('refuses %s as a conflict, and appends nothing of the call', async (_, expectedVersion) => {
    const [streamId, other] = [newStream(), newStream()];
    await append(one(streamId, 0, added('a'), added('b')));
    await expect(
      append(one(other, 0, added('c')), one(streamId, expectedVersion, added('d'))),
    ).rejects.toMatchObject({
      kind: 'conflict',
      code: 'version_conflict',
      message: expect.stringContaining(streamId),
    });
    expect(await history(other)).toEqual([]);
    expect(await history(streamId)).toHaveLength(2);
  });

  it('refuses a stream that is given twice with versions that do not fit each other', async () => {
    const streamId = newStream();
    await expect(append(one(streamId, 0, added('a')), one(streamId, 2, added('b')))).rejects.toMatchObject({
      code: 'version_conflict',
    });
  });

  it('lets one of two writers win, in whatever order they name the streams', async () => {
    const [a, b] = [newStream(), newStream()];
    await append(one(a, 0, added('x')), one(b, 0, added('x')));
    const tries = range(12).map((n) =>
      append(
        ...(n % 2 === 0
          ? [one(a, 1, added('y')), one(b, 1, added('y'))]
          : [one(b, 1, added('z')), one(a, 1, added('z'))]),
      ),
    );
    const settled = await Promise.allSettled(tries);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of settled) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'version_conflict' });
    }
    expect((await history(a)).map(({ event }) => event)).toEqual(
      (await history(b)).map(({ event }) => event),
    );
  });

  it.each([
    ['foreign_event', [{ type: 'ShelfMoved', shelfId: 1 } as const]],
    ['mixed_topics', [added('a'), tillOpen]],
    ['unknown_event', [{ type: 'Nonsense' } as unknown as ShopEvent]],
    ['event_not_encodable', [{ type: 'ItemAdded', item: 7, priceMicros: 1n } as unknown as ShopEvent]],
    ['event_too_large', [added('x'.repeat(1_000_000))]],
    ['unstorable_text', [added('a\u0000b')]],
    ['unstorable_text', [added('a\\\u0000b')]],
    ['unstorable_text', [added('half a pair: \ud83d')]],
  ])('refuses with %s', async (code, events) => {
    await expect(append(one(newStream(), 0, ...events))).rejects.toMatchObject({ code });
  });

  it('refuses to publish a stream to a second topic, or two streams under one key', async () => {
    const streamId = newStream();
    await append(one(streamId, 0, added('a')));
    await expect(append(one(streamId, 1, tillOpen))).rejects.toMatchObject({ code: 'mixed_topics' });
    await expect(append(one(streamId.slice('basket/'.length), 0, added('a')))).rejects.toThrow(
      'streams_topic_key',
    );
  });
});

/** What nearly everyone writes first: go on behind the highest position seen. */
const naiveRead = async (after: string): Promise<{ position: string; stream_id: string }[]> =>
  shop.dataSource.query('SELECT position, stream_id FROM events WHERE position > $1 ORDER BY position', [
    after,
  ]);

describe('reading while others write', () => {
  const everything = async (): Promise<Cursor | undefined> => {
    // Waits until no transaction is open any more, so that the end of the list is the end of all.
    const last = await eventually(async () => {
      const visible = await naiveRead('0');
      const stored = await shop.store.read(shop.dataSource.manager, { limit: 10_000 });
      return stored.length === visible.length && { at: stored.at(-1) };
    }, PATIENT);
    return last.at && { tx: last.at.tx, position: last.at.position };
  };

  it('loses nothing when transactions commit out of order, where a reader by position does', async () => {
    const start = await everything();
    const [slow, fast] = [newStream(), newStream()];
    const first = await openTransaction();
    await shop.store.append(first.manager, [one(slow, 0, added('early position, late commit'))]);
    await append(one(fast, 0, added('late position, early commit')));

    const naiveStart = start?.position ?? '0';
    const naive = await naiveRead(naiveStart);
    const ours = await shop.store.read(shop.dataSource.manager, {
      ...(start && { after: start }),
      limit: 10,
    });
    await first.commit();

    const naiveSeen = [...naive, ...(await naiveRead(naive.at(-1)!.position))].map((row) => row.stream_id);
    expect(naiveSeen).toEqual([fast]); // the slow one is lost for good
    expect(ours).toEqual([]);
    await eventually(async () => {
      const later = await shop.store.read(shop.dataSource.manager, {
        ...(start && { after: start }),
        limit: 10,
      });
      expect(later.map(({ streamId }) => streamId)).toEqual([slow, fast]);
    }, PATIENT);
  });

  it('sees each event once and each stream in order, whatever the writers do', async () => {
    const command = fc.record({
      stream: fc.integer({ min: 0, max: 4 }),
      count: fc.integer({ min: 1, max: 3 }),
      holdsFor: fc.integer({ min: 0, max: 3 }),
      fails: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 12 }), async (commands) => {
        let after = await everything();
        const ids = range(5).map(() => newStream());
        const versions = [0, 0, 0, 0, 0];
        const held: { turns: number; finish: () => Promise<void>; stream: number }[] = [];
        const seen: StoredEvent<ShopEvent>[] = [];
        const readOn = async (): Promise<void> => {
          const page = await shop.store.read(shop.dataSource.manager, { ...(after && { after }), limit: 3 });
          seen.push(...page);
          const last = page.at(-1);
          if (last) after = { tx: last.tx, position: last.position };
        };
        for (const { stream, count, holdsFor, fails } of commands) {
          if (!held.some((transaction) => transaction.stream === stream)) {
            const { manager, commit, rollback } = await openTransaction();
            const events = range(count).map((n) => added(`${n}`));
            await shop.store.append(manager, [one(ids[stream]!, versions[stream]!, ...events)]);
            if (!fails) versions[stream]! += count;
            held.push({ turns: holdsFor, finish: fails ? rollback : commit, stream });
          }
          for (const transaction of held.filter((h) => (h.turns -= 1) < 0)) {
            held.splice(held.indexOf(transaction), 1);
            await transaction.finish();
          }
          await readOn();
        }
        for (const { finish } of held) await finish();
        const total = versions.reduce((sum, version) => sum + version, 0);
        await eventually(
          async () => {
            await readOn();
            return seen.length >= total;
          },
          { everyMs: 1, ...PATIENT },
        );
        for (const [i, id] of ids.entries()) {
          const mine = seen.filter(({ streamId }) => streamId === id);
          expect(mine.map(({ version }) => version)).toEqual(range(versions[i]!));
        }
        expect(seen).toHaveLength(total);
      }),
      { numRuns: 25 },
    );
  });

  it('reads in pages, and only the types asked for', async () => {
    const after = await everything();
    const streamId = newStream();
    await append(one(streamId, 0, added('1'), note('2'), added('3'), paid(4n), added('5')));
    await everything();
    const first = await shop.store.read(shop.dataSource.manager, {
      ...(after && { after }),
      limit: 2,
      types: ['ItemAdded', 'BasketPaid'],
    });
    const second = await shop.store.read(shop.dataSource.manager, {
      after: first.at(-1)!,
      limit: 10,
      types: ['ItemAdded', 'BasketPaid'],
    });
    expect([...first, ...second].map(({ version }) => version)).toEqual([1, 3, 4, 5]);
  });

  it('replays everything that is committed, also what came after a transaction that still runs', async () => {
    const open = await openTransaction();
    await shop.store.append(open.manager, [one(newStream(), 0, added('not committed'))]);
    const streamId = newStream();
    await append(one(streamId, 0, ...range(5).map((n) => added(`${n}`))));
    const replayed: StoredEvent<ShopEvent>[] = [];
    await shop.store.replay(shop.dataSource.manager, { pageSize: 2 }, (stored) => replayed.push(stored));
    await open.rollback();
    expect(replayed.filter((stored) => stored.streamId === streamId).map(({ version }) => version)).toEqual(
      range(5),
    );
    const [row] = await shop.dataSource.query<{ count: string }[]>('SELECT count(*) FROM events');
    expect(replayed).toHaveLength(Number(row!.count));
  });
});
