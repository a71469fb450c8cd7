import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { silentLogger } from '@gridbourse/observability';
import { eventually } from '@gridbourse/testing';
import fc from 'fast-check';
import { BASKET_TABLES, baskets, projectBaskets } from '../../test/basket-tables.ts';
import { settled } from '../../test/settled.ts';
import { added, connect, note, openShop, paid, range, type Shop, type ShopEvent } from '../../test/shop.ts';
import { EventSubscription, type OwnReadModel, ReadModelRebuild, type RebuildOptions } from '../index.ts';

/** Generous: other suites run beside this one. */
jest.setTimeout(60_000);

/** Real: Postgres, writers that go on writing, readers that go on reading. */
let shop: Shop;

beforeEach(async () => {
  versions.clear();
  shop = await openShop();
  await shop.dataSource.query(BASKET_TABLES);
});
afterEach(() => shop.close());

const rebuildOf = (
  readModel: OwnReadModel<ShopEvent> = baskets(),
  more: Partial<RebuildOptions<ShopEvent>> = {},
): ReadModelRebuild<ShopEvent> =>
  new ReadModelRebuild({
    ...{ dataSource: shop.dataSource, store: shop.store, readModel, logger: silentLogger, pageSize: 7 },
    ...more,
  });

/** Every row of a table, as Postgres writes it, in the order of the bytes. */
const dump = async (select: string): Promise<string> =>
  (
    await shop.dataSource.query<{ line: string }[]>(
      `SELECT r::text AS line FROM (${select}) AS r ORDER BY r::text COLLATE "C"`,
    )
  )
    .map(({ line }) => line)
    .join('\n');

/** row_number counts insertions, which no two histories of a table have in common; everything else must be equal. */
const served = async (): Promise<string[]> =>
  Promise.all([dump('SELECT * FROM baskets'), dump('SELECT basket_id, place, item FROM basket_items')]);
const control = async (): Promise<string[]> =>
  Promise.all([dump('SELECT * FROM control_baskets'), dump('SELECT * FROM control_basket_items')]);

const versions = new Map<string, number>();

/** A command as services run it: events and read model in one transaction, in this order or in the other. */
const command = (
  streamId: string,
  events: readonly ShopEvent[],
  { projectsFirst = false, feeds = true }: { projectsFirst?: boolean; feeds?: boolean } = {},
): Promise<void> => {
  const expectedVersion = versions.get(streamId) ?? 0;
  versions.set(streamId, expectedVersion + events.length);
  const projected = events.map((event, i) => ({ streamId, version: expectedVersion + i + 1, event }));
  return shop.dataSource.transaction(async (manager) => {
    const project = async (): Promise<void> => {
      if (feeds) await projectBaskets(manager, projected);
      await projectBaskets(manager, projected, 'control_');
    };
    if (projectsFirst) await project();
    await shop.store.append(manager, [{ streamId, expectedVersion, events }]);
    if (!projectsFirst) await project();
  });
};

const anyEvent: fc.Arbitrary<ShopEvent> = fc.oneof(
  fc
    .tuple(fc.string({ unit: 'grapheme-ascii', maxLength: 6 }), fc.bigInt(0n, 10n ** 12n))
    .map(([item, price]) => added(item, price)),
  fc.bigInt(0n, 10n ** 6n).map(paid),
  fc.string({ unit: 'grapheme-ascii', maxLength: 6 }).map(note),
);
const history = fc.array(
  fc.record({
    basket: fc.integer({ min: 1, max: 5 }),
    events: fc.array(anyEvent, { minLength: 1, maxLength: 4 }),
    projectsFirst: fc.boolean(),
  }),
  { minLength: 1, maxLength: 30 },
);

/** Writers, one a basket, until told to stop or until they have written enough. */
const writersOf = (
  prefix: string,
  { most = 60, ...options }: { feeds?: boolean; most?: number } = {},
): { stop: () => Promise<void> } => {
  let writing = true;
  const all = range(3).map(async (n) => {
    for (let i = 0; writing && i < most; i += 1) {
      await command(`basket/${prefix}${n}`, [added(`${i}`, 5n), note(`${i}`)], {
        projectsFirst: (i + n) % 2 === 0,
        ...options,
      });
    }
  });
  return {
    stop: async () => {
      writing = false;
      await Promise.all(all);
    },
  };
};

describe('a rebuild', () => {
  it('gives the same tables, byte for byte, while writers write and readers read', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(history, async (commands) => {
        run += 1;
        for (const { basket, events, projectsFirst } of commands) {
          await command(`basket/h${run}-${basket}`, events, { projectsFirst });
        }
        // What is wrong in the old tables must not get into the new ones.
        await shop.dataSource.query(`UPDATE baskets SET total_micros = -1, notes = '{wrong}'`);
        await shop.dataSource.query(`DELETE FROM basket_items WHERE place = 1`);
        let reads = 0;
        let reading = true;
        const reader = (async (): Promise<void> => {
          while (reading) {
            const [row] = await shop.dataSource.query<{ n: number }[]>(
              'SELECT count(*)::int AS n FROM baskets',
            );
            expect(row!.n).toBeGreaterThan(0); // never empty, never half full
            reads += 1;
          }
        })();
        const writers = writersOf(`w${run}-`);
        await rebuildOf(baskets(), { pageSize: 40 }).run();
        await writers.stop();
        reading = false;
        await reader;
        expect(reads).toBeGreaterThan(0);
        expect(await served()).toEqual(await control());
      }),
      { numRuns: 6 },
    );
  });

  it('leaves the tables with all that they had: keys, checks, indexes, defaults, rights', async () => {
    const catalogue = (): Promise<string> =>
      dump(`
        SELECT c.relname, k.conname, pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE c.relnamespace = 'public'::regnamespace
        UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT table_name, column_name, concat(data_type, column_default, is_nullable, is_identity, generation_expression)
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT table_name, grantee, privilege_type FROM information_schema.table_privileges
        WHERE table_schema = 'public'`);
    await command('basket/a', [added('x')]);
    await shop.dataSource.query(`INSERT INTO coupons VALUES ('basket/a', 'ten')`);
    const before = await catalogue();
    await rebuildOf().run();
    expect(await catalogue()).toBe(before);
    await expect(shop.dataSource.query(`INSERT INTO coupons VALUES ('basket/none', 'ten')`)).rejects.toThrow(
      'coupons_basket_id_fkey',
    );
    const schemas = await shop.dataSource.query(
      `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rebuild%'`,
    );
    expect(schemas).toEqual([]);
    expect(await shop.dataSource.query('SELECT * FROM read_model_rebuilds')).toEqual([]);
  });

  it('is carried on after an interruption, and does nothing twice', async () => {
    for (const n of range(30)) await command(`basket/a${n % 3}`, [added(`${n}`)]);
    await settled(shop.dataSource);
    const interruption = new AbortController();
    const first = rebuildOf(baskets(), {
      maxTail: 4,
      onPage: ({ events }) => {
        if (events >= 14) interruption.abort(new Error('interrupted'));
      },
    });
    await expect(first.run(interruption.signal)).rejects.toThrow('interrupted');
    expect(await served()).toEqual(await control());
    const writers = writersOf('more');
    const report = await rebuildOf(baskets(), { pageSize: 40 }).run();
    await writers.stop();
    expect(report.resumed).toBe(true);
    expect(report.events).toBeGreaterThanOrEqual(30);
    expect(await served()).toEqual(await control());
  });

  it('survives the death of its connection in any page', async () => {
    for (const n of range(20)) await command(`basket/a${n % 3}`, [added(`${n}`)]);
    const other = await connect(shop.url);
    let deaths = 0;
    const dying = baskets({
      project: async (manager, events) => {
        await projectBaskets(manager, events);
        if (deaths >= 3) return;
        deaths += 1;
        const [row] = await manager.query<{ pid: number }[]>('SELECT pg_backend_pid() AS pid');
        await other.query('SELECT pg_terminate_backend($1, 5000)', [row!.pid]);
      },
    });
    await eventually(() => rebuildOf(dying).run(), { deadlineMs: 15_000 });
    expect(deaths).toBe(3);
    expect(await served()).toEqual(await control());
    await other.destroy();
  });

  it('is begun anew when the projection or the tables have changed', async () => {
    for (const n of range(20)) await command('basket/a', [added(`${n}`)]);
    await settled(shop.dataSource);
    const interrupt = async (): Promise<void> => {
      const interruption = new AbortController();
      const rebuild = rebuildOf(baskets(), { onPage: () => interruption.abort(new Error('interrupted')) });
      await expect(rebuild.run(interruption.signal)).rejects.toThrow('interrupted');
    };
    await interrupt();
    expect(await rebuildOf(baskets({ version: 2 })).run()).toEqual({ events: 20, resumed: false });
    await interrupt();
    await shop.dataSource.query(`ALTER TABLE baskets ADD COLUMN colour text NOT NULL DEFAULT 'grey'`);
    await shop.dataSource.query(`ALTER TABLE control_baskets ADD COLUMN colour text NOT NULL DEFAULT 'grey'`);
    expect(await rebuildOf().run()).toEqual({ events: 20, resumed: false });
    expect(await served()).toEqual(await control());
  });

  it('does not exchange tables that were changed meanwhile', async () => {
    await command('basket/a', [added('x')]);
    await settled(shop.dataSource);
    const rebuild = rebuildOf(baskets(), {
      onPage: async () => void (await shop.dataSource.query('CREATE INDEX late ON baskets (notes)')),
    });
    await expect(rebuild.run()).rejects.toMatchObject({ code: 'tables_changed' });
    expect(await rebuildOf().run()).toMatchObject({ resumed: false });
    const [index] = await shop.dataSource.query<{ n: number }[]>(
      `SELECT count(*)::int AS n FROM pg_indexes WHERE (schemaname, indexname) = ('public', 'late')`,
    );
    expect(index).toEqual({ n: 1 });
  });

  it('can be given up', async () => {
    for (const n of range(20)) await command('basket/a', [added(`${n}`)]);
    await settled(shop.dataSource);
    const interruption = new AbortController();
    const rebuild = rebuildOf(baskets(), { onPage: () => interruption.abort(new Error('interrupted')) });
    await expect(rebuild.run(interruption.signal)).rejects.toThrow('interrupted');
    expect([await rebuild.abort(), await rebuild.abort()]).toEqual([true, false]);
    expect(await dump(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rebuild%'`)).toBe('');
    expect(await served()).toEqual(await control());
  });

  it('is one at a time', async () => {
    await command('basket/a', [added('x')]);
    await settled(shop.dataSource);
    let refused: unknown;
    const rebuild = rebuildOf(baskets(), {
      onPage: async () =>
        void (refused = await rebuildOf()
          .run()
          .catch((error: unknown) => error)),
    });
    await rebuild.run();
    expect(refused).toMatchObject({ kind: 'conflict', code: 'rebuild_running' });
  });

  it('leaves everything as it was when its projection fails', async () => {
    await command('basket/a', [added('x')]);
    const failing = baskets({ project: () => Promise.reject(new Error('cannot project')) });
    await expect(rebuildOf(failing).run()).rejects.toThrow('cannot project');
    expect(await served()).toEqual(await control());
    await command('basket/a', [added('y')]);
    expect(await rebuildOf().run()).toEqual({ events: 2, resumed: true });
    expect(await served()).toEqual(await control());
  });

  it('waits with the exchange for a writer that holds the tables, and lets others write meanwhile', async () => {
    await command('basket/a', [added('x')]);
    const holder = shop.dataSource.createQueryRunner();
    await holder.startTransaction();
    await projectBaskets(holder.manager, [{ streamId: 'basket/held', version: 1, event: added('h') }]);
    await projectBaskets(
      holder.manager,
      [{ streamId: 'basket/held', version: 1, event: added('h') }],
      'control_',
    );
    const rebuild = rebuildOf(baskets(), { lockTimeoutMs: 20 }).run();
    for (const n of range(5)) await command('basket/b', [added(`${n}`)]);
    await shop.store.append(holder.manager, [
      { streamId: 'basket/held', expectedVersion: 0, events: [added('h')] },
    ]);
    await holder.commitTransaction();
    await holder.release();
    await rebuild;
    expect(await served()).toEqual(await control());
  });

  it.each([
    ['a view', 'CREATE VIEW rich AS SELECT * FROM baskets', 'the view rich reads baskets'],
    [
      'a trigger',
      `CREATE TRIGGER t BEFORE UPDATE ON baskets FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
      'baskets has the trigger t',
    ],
    ['a sequence', 'ALTER TABLE baskets ADD COLUMN n serial', 'counts by a sequence'],
    ['a table that is not there', 'DROP TABLE basket_items', 'there is no table basket_items'],
  ])('refuses tables with %s, before it has done anything', async (_, sql, reason) => {
    await shop.dataSource.query(sql);
    await expect(rebuildOf().run()).rejects.toMatchObject({
      code: 'unfit_read_model',
      message: expect.stringContaining(reason),
    });
    expect(await dump(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rebuild%'`)).toBe('');
  });
});

describe('a rebuild of tables that a subscription feeds', () => {
  it('moves the checkpoint with the tables: nothing is missing and nothing twice', async () => {
    const feed = new EventSubscription<ShopEvent>({
      ...{ name: 'baskets', store: shop.store, source: shop.dataSource, logger: silentLogger },
      ...{ pollMs: 10, pageSize: 5, maxBackoffMs: 20 },
      handler: (manager, events) => projectBaskets(manager, events),
    });
    feed.start();
    const writers = writersOf('s', { feeds: false, most: 100 });
    await eventually(async () => {
      const [row] = await shop.dataSource.query<{ n: number }[]>(
        'SELECT count(*)::int AS n FROM basket_items',
      );
      return row!.n > 20;
    });
    const model = baskets({ subscription: 'baskets' });
    for (const _ of range(3)) await rebuildOf(model, { pageSize: 50 }).run();
    await writers.stop();
    await eventually(async () => expect(await served()).toEqual(await control()), { deadlineMs: 15_000 });
    await feed.stop();
    const quiet = await served();
    await rebuildOf(model).run();
    expect(await served()).toEqual(quiet);
  });
});
