import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import type { DataSource } from 'typeorm';
import { added, openShop, type Shop, type ShopEvent } from '../test/shop.ts';
import { type GroupCommitOptions, GroupCommitWriter } from './index.ts';

// Real: Postgres and the writer. Its commits are held back and broken on purpose.

/** Generous: other suites run beside this one. */
jest.setTimeout(60_000);

let shop: Shop;
let baskets: Map<string, number>;
let reloads: number;
/** The names of the commands, each time that they were decided. */
let decisions: string[];
/** Those that were answered, in the order of the answers. */
let answers: string[];
let writer: GroupCommitWriter<ShopEvent>;

const reload = async (): Promise<void> => {
  reloads += 1;
  const rebuilt = new Map<string, number>();
  await shop.store.replay(shop.dataSource.manager, {}, ({ streamId, version }) =>
    rebuilt.set(streamId, version),
  );
  baskets = rebuilt;
};

const writerWith = (options: Partial<GroupCommitOptions<ShopEvent>> = {}): GroupCommitWriter<ShopEvent> =>
  new GroupCommitWriter({ dataSource: shop.dataSource, store: shop.store, onReload: reload, ...options });

/** Puts an item into the one basket and answers how many there are; refuses beyond the limit. */
const add = async (
  name: string,
  { limit = 100, held }: { limit?: number; held?: Promise<void> } = {},
): Promise<number | string> => {
  try {
    return await writer.execute(() => {
      decisions.push(name);
      const count = baskets.get('basket/a') ?? 0;
      if (count >= limit) throw new Error('no room');
      baskets.set('basket/a', count + 1);
      return {
        appends: [{ streamId: 'basket/a', expectedVersion: count, events: [added('gpu')] }],
        result: count + 1,
        ...(held && { inTransaction: () => held }),
      };
    });
  } catch (error) {
    return (error as Error).message;
  } finally {
    answers.push(name);
  }
};

const stored = async (): Promise<number> =>
  (await shop.store.load(shop.dataSource.manager, 'basket/a')).version;
const decided = (...names: string[]): Promise<void> =>
  eventually(() => Promise.resolve(expect(decisions).toEqual(names)));

const gate = (): { held: Promise<void>; open: () => void; fail: (error: Error) => void } => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  return { held: promise, open: resolve, fail: reject };
};

/** A data source whose commits run as told. */
const withCommits = (onCommit: (commit: () => Promise<void>) => Promise<void>): DataSource =>
  new Proxy(shop.dataSource, {
    get: (target, property) => {
      if (property !== 'createQueryRunner') {
        const value: unknown = Reflect.get(target, property);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return () => {
        const runner = target.createQueryRunner();
        const commit = runner.commitTransaction.bind(runner);
        runner.commitTransaction = () => onCommit(commit);
        return runner;
      };
    },
  });

const connectionLost = (): Error =>
  Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });

beforeEach(async () => {
  shop = await openShop();
  baskets = new Map();
  reloads = 0;
  decisions = [];
  answers = [];
  writer = writerWith();
});
afterEach(async () => {
  await writer.stop();
  await shop.close();
});

describe('while a batch is committed', () => {
  it('the next one is decided on top of it, and answered after it', async () => {
    const { held, open } = gate();
    const first = add('first', { held });
    await decided('first');
    const others = [add('second'), add('third'), add('refused', { limit: 3 })];
    await decided('first', 'second', 'third', 'refused');
    expect([answers, await stored()]).toEqual([[], 0]);
    open();
    expect(await Promise.all([first, ...others])).toEqual([1, 2, 3, 'no room']);
    expect(answers).toEqual(['first', 'second', 'third', 'refused']);
    expect([await stored(), reloads]).toEqual([3, 0]);
    const [row] = await shop.dataSource.query<{ n: string }[]>('SELECT count(DISTINCT tx) AS n FROM events');
    expect(Number(row!.n)).toBe(2);
  });

  it('no more is decided than a batch may hold, and what is decided ahead counts as waiting', async () => {
    writer = writerWith({ maxBatch: 2, maxQueue: 3 });
    const { held, open } = gate();
    const first = add('first', { held });
    await decided('first');
    const others = ['second', 'third', 'fourth'].map((name) => add(name));
    await decided('first', 'second', 'third');
    expect(writer.queued).toBe(3);
    expect(await add('fifth')).toBe('3 commands are waiting already');
    expect(decisions).toEqual(['first', 'second', 'third']);
    open();
    expect(await Promise.all([first, ...others])).toEqual([1, 2, 3, 4]);
  });

  it('a stop waits for what was decided ahead', async () => {
    const { held, open } = gate();
    const first = add('first', { held });
    await decided('first');
    const second = add('second');
    await decided('first', 'second');
    const stopped = writer.stop();
    open();
    await stopped;
    expect([await first, await second, await stored()]).toEqual([1, 2, 2]);
  });
});

describe('when the batch before fails', () => {
  it('what was decided ahead is decided anew, in its order, refusals too', async () => {
    const { held, fail } = gate();
    const first = add('first', { held });
    await decided('first');
    const others = [add('second', { limit: 1 }), add('third', { limit: 1 }), add('fourth')];
    await decided('first', 'second', 'third', 'fourth');
    fail(new Error('poison'));
    expect(await Promise.all([first, ...others])).toEqual(['poison', 1, 'no room', 2]);
    expect(answers).toEqual(['first', 'second', 'third', 'fourth']);
    expect(decisions.slice(-3)).toEqual(['second', 'third', 'fourth']);
    expect([await stored(), baskets.get('basket/a')]).toEqual([2, 2]);
  });

  it('and only the answer to its commit was lost, what was decided ahead stands', async () => {
    const { held, open } = gate();
    let broken = false;
    writer = writerWith({
      dataSource: withCommits(async (commit) => {
        await commit();
        if (broken) return;
        broken = true;
        throw connectionLost();
      }),
    });
    const first = add('first', { held });
    await decided('first');
    const second = add('second');
    await decided('first', 'second');
    open();
    expect(await Promise.all([first, second])).toEqual([1, 2]);
    expect([decisions, reloads, await stored()]).toEqual([['first', 'second'], 0, 2]);
  });

  it('and its commit did not get through, both are carried out once', async () => {
    const { held, open } = gate();
    let broken = false;
    writer = writerWith({
      dataSource: withCommits((commit) => {
        if (broken) return commit();
        broken = true;
        return Promise.reject(new Error('disk full'));
      }),
    });
    const first = add('first', { held });
    await decided('first');
    const second = add('second');
    await decided('first', 'second');
    open();
    expect(await Promise.all([first, second])).toEqual([1, 2]);
    expect([decisions, reloads, await stored()]).toEqual([['first', 'second', 'first', 'second'], 1, 2]);
  });

  it('and the database stays away, both are refused, and neither is in memory when it is back', async () => {
    const { held, open } = gate();
    let away = true;
    writer = writerWith({
      dataSource: withCommits((commit) => (away ? Promise.reject(new Error('disk full')) : commit())),
      patienceMs: 100,
      onReload: () => (away ? Promise.reject(connectionLost()) : reload()),
    });
    const first = add('first', { held });
    await decided('first');
    const second = add('second');
    await decided('first', 'second');
    open();
    expect(await Promise.all([first, second])).toEqual(['the database is away', 'the database is away']);
    away = false;
    expect(await add('third')).toBe(1);
    expect([await stored(), baskets.get('basket/a')]).toEqual([1, 1]);
  });
});
