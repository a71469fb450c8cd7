import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { renderMetrics, serviceMeter, silentLogger } from '@gridbourse/observability';
import { eventually, testDatabase } from '@gridbourse/testing';
import { DataSource } from 'typeorm';
import { added, connect, note, openShop, range, type Shop, type ShopEvent } from '../test/shop.ts';
import {
  EventSubscription,
  migrate,
  setCheckpoint,
  START,
  type StoredEvent,
  subscriptionMigration,
  type SubscriptionOptions,
} from './index.ts';

/** Generous: other suites run beside this one. */
jest.setTimeout(60_000);

/** Real: Postgres, the store and the consumer's database, apart from each other. */
let shop: Shop;
let consumerUrl: string;
let consumer: DataSource;
let dropConsumer: () => Promise<void>;
let running: EventSubscription<ShopEvent>[] = [];

const connectConsumer = (): Promise<DataSource> =>
  new DataSource({ type: 'postgres', url: consumerUrl, migrations: [subscriptionMigration] }).initialize();

beforeEach(async () => {
  shop = await openShop();
  const database = await testDatabase('subscriber', async (url) => {
    const source = await new DataSource({
      type: 'postgres',
      url,
      migrations: [subscriptionMigration],
    }).initialize();
    await migrate(source);
    await source.query('CREATE TABLE effects (id bigint GENERATED ALWAYS AS IDENTITY, event text, by text)');
    await source.destroy();
  });
  consumerUrl = database.url;
  dropConsumer = () => database.drop();
  consumer = await connectConsumer();
});
afterEach(async () => {
  await Promise.all(running.map((subscription) => subscription.stop()));
  running = [];
  if (consumer.isInitialized) await consumer.destroy();
  await dropConsumer();
  await shop.close();
});

type Handler = SubscriptionOptions<ShopEvent>['handler'];

const nameOf = ({ streamId, version }: StoredEvent<ShopEvent>): string => `${streamId}@${version}`;

const writeEffects =
  (
    by: string,
    before: (events: readonly StoredEvent<ShopEvent>[]) => void | Promise<void> = () => undefined,
  ): Handler =>
  async (manager, events) => {
    await before(events);
    for (const event of events) {
      await manager.query('INSERT INTO effects (event, by) VALUES ($1, $2)', [nameOf(event), by]);
    }
  };

const subscribe = (
  handler: Handler,
  more: Partial<SubscriptionOptions<ShopEvent>> = {},
): EventSubscription<ShopEvent> => {
  const subscription = new EventSubscription<ShopEvent>({
    ...{ name: 'effects', store: shop.store, source: shop.dataSource, consumer, logger: silentLogger },
    ...{ handler, pollMs: 20, pageSize: 10, maxBackoffMs: 40 },
    ...more,
  });
  running.push(subscription);
  subscription.start();
  return subscription;
};

const append = (streamId: string, expectedVersion: number, ...events: ShopEvent[]): Promise<void> =>
  shop.dataSource.transaction((manager) =>
    shop.store.append(manager, [{ streamId, expectedVersion, events }]),
  );
const effects = async (): Promise<{ event: string; by: string }[]> =>
  consumer.query('SELECT event, by FROM effects ORDER BY id');
const seen = async (): Promise<string[]> => (await effects()).map(({ event }) => event);
const items = (n: number): ShopEvent[] => range(n).map((i) => added(`${i}`));
const namesOf = (stream: string, n: number): string[] => range(n).map((i) => `${stream}@${i}`);

/** Cuts the connections to the consumer's database that hold a lock of this kind. */
const cutOwner = (source: DataSource): Promise<unknown> =>
  source.query(
    `SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l
     JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
     WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()`,
  );

describe('a subscription', () => {
  it('hands over every event once, in order, into another database, whoever writes meanwhile', async () => {
    await append('basket/old', 0, ...items(25));
    const subscription = subscribe(writeEffects('a'));
    await Promise.all(
      range(5).map(async (n) => {
        for (const i of range(20)) {
          await append(`basket/b${n}`, i - 1, added(`${i}`));
          subscription.wake();
        }
      }),
    );
    await eventually(async () => expect(await seen()).toHaveLength(125), { deadlineMs: 15_000 });
    const all = await seen();
    for (const stream of ['old', ...range(5).map((n) => `b${n}`)]) {
      const mine = all.filter((event) => event.startsWith(`basket/${stream}@`));
      expect(mine).toEqual(namesOf(`basket/${stream}`, stream === 'old' ? 25 : 20));
    }
  });

  it('goes on after a restart where it stopped', async () => {
    await append('basket/b', 0, ...items(12));
    const first = subscribe(writeEffects('first'));
    await eventually(async () => expect(await seen()).toHaveLength(12));
    await first.stop();
    await append('basket/b', 12, added('13'));
    subscribe(writeEffects('second'));
    await eventually(async () => expect(await seen()).toEqual(namesOf('basket/b', 13)));
    expect((await effects()).at(-1)!.by).toBe('second');
  });

  it('hears only the types asked for, and gets past long stretches of others', async () => {
    await append('basket/b', 0, added('1'), ...range(35).map(() => note('n')), added('37'));
    subscribe(writeEffects('a'), { types: ['ItemAdded'] });
    await eventually(async () => expect(await seen()).toEqual(['basket/b@1', 'basket/b@37']));
    await append('basket/b', 37, ...range(15).map(() => note('n')));
    const last = await eventually(async () => {
      const [row] = await shop.dataSource.query<{ p: string }[]>('SELECT max(position) AS p FROM events');
      const [at] = await consumer.query<{ position: string }[]>(
        'SELECT position FROM subscription_checkpoints',
      );
      expect(at!.position).toBe(row!.p);
      return row!.p;
    });
    expect(Number(last)).toBe(52);
  });

  it('is woken, though polling is slow', async () => {
    const subscription = subscribe(writeEffects('a'), { pollMs: 60_000 });
    for (const n of range(4)) {
      await append(`basket/w${n}`, 0, added('x'));
      subscription.wake();
      await eventually(async () => expect(await seen()).toHaveLength(n), { everyMs: 2 });
    }
  });

  it('waits for transactions that began earlier, and hands them over first', async () => {
    subscribe(writeEffects('a'));
    const slow = shop.dataSource.createQueryRunner();
    await slow.startTransaction();
    await shop.store.append(slow.manager, [
      { streamId: 'basket/slow', expectedVersion: 0, events: items(1) },
    ]);
    await append('basket/fast', 0, added('x'));
    const name = `subscription-waits-${process.pid}`;
    subscribe(writeEffects('lagging'), { name: 'lagging', meter: serviceMeter(name), measureMs: 5 });
    await eventually(async () =>
      expect(await renderMetrics(name)).toMatch(/subscription_lag_events\{[^}]*"lagging"[^}]*\} 1\b/),
    );
    expect(await seen()).toEqual([]);
    await slow.commitTransaction();
    await slow.release();
    await eventually(async () => {
      const mine = (await effects()).filter(({ by }) => by === 'a').map(({ event }) => event);
      expect(mine).toEqual(['basket/slow@1', 'basket/fast@1']);
    });
  });

  it('tries a page again until it succeeds, skips nothing, and lets those before the bad event through', async () => {
    await append('basket/b', 0, ...items(9));
    let poisoned = true;
    let tries = 0;
    const name = `subscription-retries-${process.pid}`;
    subscribe(
      writeEffects('a', (events) => {
        if (!poisoned || !events.some(({ version }) => version === 6)) return;
        tries += 1;
        throw new Error('cannot handle the sixth');
      }),
      { meter: serviceMeter(name), measureMs: 5 },
    );
    await eventually(() => tries >= 4);
    expect(await seen()).toEqual(namesOf('basket/b', 5));
    await eventually(async () =>
      expect(await renderMetrics(name)).toMatch(/subscription_lag_events\{[^}]*"effects"[^}]*\} 4\b/),
    );
    poisoned = false;
    await eventually(async () => expect(await seen()).toEqual(namesOf('basket/b', 9)));
    await eventually(async () =>
      expect(await renderMetrics(name)).toMatch(/subscription_lag_events\{[^}]*"effects"[^}]*\} 0\b/),
    );
  });

  it('leaves nothing of a page that failed halfway', async () => {
    await append('basket/b', 0, ...items(3));
    let failed = false;
    subscribe(async (manager, events) => {
      await writeEffects('a')(manager, events);
      if (failed) return;
      failed = true;
      throw new Error('after the effects');
    });
    await eventually(async () => expect(await seen()).toEqual(namesOf('basket/b', 3)));
    expect(failed).toBe(true);
  });

  it('asks for the next page only when the last one is committed', async () => {
    await append('basket/b', 0, ...items(30));
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let pages = 0;
    subscribe(
      writeEffects('a', async () => {
        pages += 1;
        await gate;
      }),
    );
    const reads = await eventually(async () => {
      expect(pages).toBe(1);
      const [row] = await consumer.query<{ n: number }[]>(
        `SELECT count(*)::int AS n FROM pg_stat_activity
         WHERE state = 'idle in transaction' AND datname = current_database()`,
      );
      return row!.n === 1 && row!.n;
    });
    expect([reads, pages]).toEqual([1, 1]);
    open();
    await eventually(async () => expect(await seen()).toHaveLength(30));
    expect(pages).toBe(3);
  });

  it('finishes the page in hand when it stops', async () => {
    await append('basket/b', 0, ...items(15));
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let entered = false;
    const subscription = subscribe(
      writeEffects('a', async () => {
        entered = true;
        await gate;
      }),
    );
    await eventually(() => entered);
    const stopped = subscription.stop();
    open();
    await stopped;
    expect(await seen()).toEqual(namesOf('basket/b', 10));
  });
});

describe('owners of a subscription', () => {
  it('are one; the next takes over when the first stops', async () => {
    const first = subscribe(writeEffects('first'));
    await append('basket/b', 0, added('1'));
    await eventually(async () => expect(await seen()).toHaveLength(1));
    const other = await connectConsumer();
    const second = subscribe(writeEffects('second'), { consumer: other });
    await append('basket/b', 1, added('2'));
    await eventually(async () => expect(await seen()).toHaveLength(2));
    await first.stop();
    await append('basket/b', 2, added('3'));
    await eventually(async () => expect(await seen()).toHaveLength(3));
    expect((await effects()).map(({ by }) => by)).toEqual(['first', 'first', 'second']);
    await second.stop();
    await other.destroy();
  });

  it('that have stalled cannot commit any more once another has taken over', async () => {
    await append('basket/b', 0, ...items(3));
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let stalled = false;
    subscribe(
      writeEffects('stalled', async () => {
        stalled = true;
        await gate;
      }),
    );
    await eventually(() => stalled);
    const other = await connectConsumer();
    const second = subscribe(writeEffects('second'), { consumer: other });
    await cutOwner(other);
    await eventually(async () => {
      const rows = await other.query<{ event: string; by: string }[]>(
        'SELECT event, by FROM effects ORDER BY id',
      );
      expect(rows).toEqual(namesOf('basket/b', 3).map((event) => ({ event, by: 'second' })));
    });
    open();
    await append('basket/b', 3, added('4'));
    await eventually(async () => expect(await seen()).toEqual(namesOf('basket/b', 4)));
    expect(new Set((await effects()).map(({ by }) => by))).toEqual(new Set(['second']));
    await second.stop();
    await other.destroy();
  });

  it('cannot commit what they have in hand when the checkpoint was moved, and go on from there', async () => {
    await append('basket/b', 0, ...items(3));
    const subscription = subscribe(writeEffects('a'), { pollMs: 60_000 });
    await eventually(async () => expect(await seen()).toHaveLength(3));
    await setCheckpoint(consumer.manager, 'effects', START);
    await append('basket/b', 3, added('4'));
    subscription.wake();
    await eventually(async () =>
      expect(await seen()).toEqual([...namesOf('basket/b', 3), ...namesOf('basket/b', 4)]),
    );
  });

  it('survive the loss of their database: every effect happens once', async () => {
    const other = await connectConsumer();
    subscribe(writeEffects('a'));
    for (const n of range(30)) {
      await append('basket/b', n - 1, added(`${n}`));
      if (n % 6 === 0) await cutOwner(other);
    }
    await eventually(
      async () => {
        const rows = await other.query<{ event: string }[]>('SELECT event FROM effects ORDER BY id');
        expect(rows.map(({ event }) => event)).toEqual(namesOf('basket/b', 30));
      },
      { deadlineMs: 15_000 },
    );
    await other.destroy();
  });
});

describe('a store as its own consumer', () => {
  it('keeps its checkpoints beside the events', async () => {
    const own = await connect(shop.url);
    await own.query('CREATE TABLE effects (id bigint GENERATED ALWAYS AS IDENTITY, event text, by text)');
    await append('basket/b', 0, ...items(3));
    const subscription = new EventSubscription<ShopEvent>({
      ...{ name: 'own', store: shop.store, source: own, logger: silentLogger, handler: writeEffects('own') },
    });
    subscription.start();
    await eventually(async () => expect(await own.query('SELECT event FROM effects')).toHaveLength(3));
    await subscription.stop();
    await own.destroy();
  });
});
