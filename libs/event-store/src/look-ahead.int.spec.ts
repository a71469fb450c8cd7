import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { awayDatabase, connectionLost, losingTheFirstAnswer, withCommits } from '../test/commit-faults.ts';
import { CountedBaskets } from '../test/counted-baskets.ts';
import { added, openShop, type Shop, type ShopEvent } from '../test/shop.ts';
import type { GroupCommitWriter } from './index.ts';

// Real: Postgres and the writer. Its commits are held back and broken on purpose.

/** Generous: other suites run beside this one. */
jest.setTimeout(60_000);

let shop: Shop;
let baskets: CountedBaskets;
/** The names of the commands, each time that they were decided. */
let decisions: string[];
/** Those that were answered, in the order of the answers. */
let answers: string[];
/** The commits that are still held back, so that a test that fails ends. */
let gates: (() => void)[];
let writer: GroupCommitWriter<ShopEvent>;

const BASKET = 'basket/a';

/** Puts an item into the one basket and answers how many there are; refuses beyond the limit. */
const add = async (
  name: string,
  { limit = 100, held }: { limit?: number; held?: Promise<void> } = {},
): Promise<number | string> => {
  try {
    return await writer.execute(() => {
      decisions.push(name);
      const count = baskets.count(BASKET);
      if (count >= limit) throw new Error('no room');
      baskets.addTo(BASKET);
      return {
        appends: [{ streamId: BASKET, expectedVersion: count, events: [added('gpu')] }],
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

const stored = (): Promise<number> => baskets.stored(BASKET);

/** @throws Error that names what was decided, unless it is these in time. All but the first wait behind a held commit. */
const decided = (...names: string[]): Promise<void> =>
  eventually(() =>
    expect({ 'decided while the commit is held': decisions }).toEqual({
      'decided while the commit is held': names,
    }),
  );

const gate = (): { held: Promise<void>; open: () => void; fail: (error: Error) => void } => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  gates.push(resolve);
  return { held: promise, open: resolve, fail: reject };
};

beforeEach(async () => {
  shop = await openShop();
  baskets = new CountedBaskets(shop);
  decisions = [];
  answers = [];
  gates = [];
  writer = baskets.writer();
});
afterEach(async () => {
  for (const open of gates) open();
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
    expect([await stored(), baskets.reloads]).toEqual([3, 0]);
    const [row] = await shop.dataSource.query<{ n: string }[]>('SELECT count(DISTINCT tx) AS n FROM events');
    expect(Number(row!.n)).toBe(2);
  });

  it('no more is decided than a batch may hold, and what is decided ahead counts as waiting', async () => {
    writer = baskets.writer({ maxBatch: 2, maxQueue: 3 });
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

  it('one whose events cannot be written fails alone, although the others were prepared with it', async () => {
    const { held, open } = gate();
    const first = add('first', { held });
    await decided('first');
    const second = add('second');
    const bad = writer
      .execute(() => {
        decisions.push('bad');
        const event = added('NUL \0');
        return { appends: [{ streamId: 'basket/bad', expectedVersion: 0, events: [event] }], result: 0 };
      })
      .catch((error: unknown) => (error as { code: string }).code);
    const third = add('third');
    await decided('first', 'second', 'bad', 'third');
    open();
    expect(await Promise.all([first, second, bad, third])).toEqual([1, 2, 'unstorable_text', 3]);
    expect([await stored(), baskets.count(BASKET)]).toEqual([3, 3]);
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
    expect([await stored(), baskets.count(BASKET)]).toEqual([2, 2]);
  });

  it('and only the answer to its commit was lost, what was decided ahead stands', async () => {
    const { held, open } = gate();
    writer = baskets.writer({ dataSource: losingTheFirstAnswer(shop.dataSource) });
    const first = add('first', { held });
    await decided('first');
    const second = add('second');
    await decided('first', 'second');
    open();
    expect(await Promise.all([first, second])).toEqual([1, 2]);
    expect([decisions, baskets.reloads, await stored()]).toEqual([['first', 'second'], 0, 2]);
  });

  it('and its commit did not get through, both are carried out once', async () => {
    const { held, open } = gate();
    let broken = false;
    writer = baskets.writer({
      dataSource: withCommits(shop.dataSource, (commit) => {
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
    expect([decisions, baskets.reloads, await stored()]).toEqual([
      ['first', 'second', 'first', 'second'],
      1,
      2,
    ]);
  });

  it('and the database stays away, both are refused, and neither is in memory when it is back', async () => {
    const { held, open } = gate();
    const { dataSource, isAway, comeBack } = awayDatabase(shop.dataSource);
    writer = baskets.writer({
      dataSource,
      patienceMs: 100,
      onReload: () => (isAway() ? Promise.reject(connectionLost()) : baskets.reload()),
    });
    const first = add('first', { held });
    await decided('first');
    const second = add('second');
    await decided('first', 'second');
    open();
    expect(await Promise.all([first, second])).toEqual(['the database is away', 'the database is away']);
    comeBack();
    expect(await add('third')).toBe(1);
    expect([await stored(), baskets.count(BASKET)]).toEqual([1, 1]);
  });
});
