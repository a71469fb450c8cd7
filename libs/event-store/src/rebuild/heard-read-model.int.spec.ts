import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type JournalEntry, recordInbox, registerJournal, writeJournal } from '@gridbourse/event-bus';
import {
  accountOpened,
  chainEventObserved,
  cloudEventTypeOf,
  type EventDefinition,
  type EventOf,
  publishedLanguage,
  topicOf,
} from '@gridbourse/events';
import { idFromDigest, nextInt, seededRandom } from '@gridbourse/kernel';
import { silentLogger } from '@gridbourse/observability';
import { eventually, tableRows } from '@gridbourse/testing';
import { createHash } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { settled } from '../../test/settled.ts';
import { connect, note, openShop, range, type Shop, type ShopEvent } from '../../test/shop.ts';
import { type Fact, type HearingReadModel, ReadModelRebuild, type RebuildOptions } from '../index.ts';

/** Generous: other suites run beside this one. */
jest.setTimeout(60_000);

/** Real: Postgres, hearers that go on hearing. Written by hand: the bus, whose handlers do the same in this order. */
let shop: Shop;
let sequences: Map<string, number>;

const GROUP = 'shop';
const TABLES = `
  CREATE TABLE customers (account_id text PRIMARY KEY, name text NOT NULL, heard_at_ms bigint NOT NULL, said text[] NOT NULL);
  CREATE TABLE chain_heads (block_hash text PRIMARY KEY, name text NOT NULL)`;

type Opened = EventOf<typeof accountOpened>;
const accountOf = (word: string) => idFromDigest('account', createHash('sha256').update(word).digest('hex'));

const HEAR = `
  INSERT INTO customers (account_id, name, heard_at_ms, said) VALUES ($1, $2, $3, '{}')
  ON CONFLICT (account_id) DO UPDATE SET name = excluded.name, heard_at_ms = excluded.heard_at_ms`;
/** What the shop says to a customer whom it has heard of. */
const SAY = `UPDATE customers SET said = said || $2::text WHERE account_id = $1`;

const apply = async (manager: EntityManager, event: Opened, heardAtMs: number): Promise<void> => {
  await manager.query(HEAR, [event.accountId, event.name, heardAtMs]);
};

const customers: HearingReadModel<ShopEvent> = {
  name: 'customers',
  version: 1,
  tables: ['customers'],
  types: ['NoteTaken'],
  hears: [accountOpened],
  project: async (manager, facts) => {
    for (const fact of facts) {
      if ('heard' in fact) await apply(manager, fact.heard.event as Opened, fact.heard.heardAtMs);
      else await manager.query(SAY, [fact.own.streamId, (fact.own.event as { text: string }).text]);
    }
  },
};

const rebuildOf = (
  readModel: HearingReadModel<ShopEvent> = customers,
  more: Partial<RebuildOptions<ShopEvent>> = {},
): ReadModelRebuild<ShopEvent> =>
  new ReadModelRebuild({
    ...{ dataSource: shop.dataSource, store: shop.store, readModel, logger: silentLogger, pageSize: 7 },
    ...more,
  });

const entryOf = (
  definition: EventDefinition,
  key: string,
  value: unknown,
  heardAtMs: number,
): JournalEntry => {
  const topic = topicOf(definition);
  const sequence = (sequences.get(`${topic}/${key}`) ?? 0) + 1;
  sequences.set(`${topic}/${key}`, sequence);
  const headers = { ce_type: cloudEventTypeOf(definition) } as JournalEntry['headers'];
  return { topic, key, sequence, headers, value, heardAtMs, note: null };
};

/** As a handler of the bus does it: inbox, journal and effect in one transaction. */
const hear = async (accountId: string, name: string, heardAtMs: number, fails = false): Promise<void> => {
  const event = {
    type: 'AccountOpened',
    ...{ accountId, wallet: `0x${'a'.repeat(40)}`, name, openedAtMs: 1 },
  } as Opened;
  const entry = entryOf(accountOpened, accountId, publishedLanguage.encode(event).data, heardAtMs);
  await shop.dataSource
    .transaction(async (manager) => {
      await recordInbox(manager, { consumer: GROUP, ...entry });
      await writeJournal(manager, GROUP, [entry]);
      await apply(manager, event, heardAtMs);
      if (fails) throw new Error('rolled back');
    })
    .catch((error: unknown) => {
      if (!fails) throw error;
      sequences.set(`${entry.topic}/${entry.key}`, entry.sequence - 1);
    });
};

const say = async (accountId: string, version: number, text: string, tableFirst: boolean): Promise<void> => {
  await shop.dataSource.transaction(async (manager) => {
    if (tableFirst) await manager.query(SAY, [accountId, text]);
    await shop.store.append(manager, [
      { streamId: accountId, expectedVersion: version, events: [note(text)] },
    ]);
    if (!tableFirst) await manager.query(SAY, [accountId, text]);
  });
};

/** One customer's life: opened, renamed, spoken to, as chance will have it; in between, things that are rolled back. */
const live = async (word: string, seed: number, until: () => boolean): Promise<void> => {
  const random = seededRandom(seed);
  const accountId = accountOf(word);
  let version = 0;
  await hear(accountId, word, 1);
  for (let n = 0; !until(); n += 1) {
    const what = nextInt(random, 4);
    if (what === 0) await hear(accountId, `wrong ${n}`, n, true);
    else if (what === 1) await hear(accountId, `é "${n}"`, n);
    else {
      await say(accountId, version, `${n}`, what === 2);
      version += 1;
    }
  }
};

const times = (most: number): (() => boolean) => {
  let n = 0;
  return () => (n += 1) > most;
};

beforeEach(async () => {
  sequences = new Map();
  shop = await openShop();
  await shop.dataSource.query(TABLES);
  await registerJournal(shop.dataSource.manager, GROUP, [accountOpened, chainEventObserved]);
});
afterEach(() => shop.close());

const rows = () => tableRows(shop.dataSource, ['customers']);

describe('a read model of what others said and of what the service did', () => {
  it('is rebuilt byte for byte while the service goes on hearing and speaking', async () => {
    await Promise.all(range(4).map((n) => live(`before ${n}`, n, times(25))));
    const before = await rows();
    await shop.dataSource.query(`UPDATE customers SET name = 'wrong', said = '{}'`);
    let over = false;
    const lives = Promise.all(range(3).map((n) => live(`during ${n}`, 10 + n, () => over)));
    await eventually(async () => (await rows())['customers']!.length > before['customers']!.length);
    const { events } = await rebuildOf(customers, { pageSize: 5 }).run();
    over = true;
    await lives;
    expect(events).toBeGreaterThan(0);
    const served = await rows();
    // Those who were not spoken to since are as they were, and nothing wrong is left.
    for (const line of before['customers']!) expect(served['customers']).toContain(line);
    await rebuildOf().run();
    expect(await rows()).toEqual(served);
    expect(JSON.stringify(served)).not.toContain('wrong');
  });

  it('is exchanged also beside transactions that read it before they write it', async () => {
    await live('busy', 1, times(10));
    const accountId = accountOf('busy');
    let over = false;
    const busy = range(3).map(async (n) => {
      while (!over) {
        await shop.dataSource.transaction(async (manager) => {
          await manager.query('SELECT FROM customers WHERE account_id = $1', [accountId]);
          await manager.query('SELECT pg_sleep(0.02)');
          await manager.query('UPDATE customers SET heard_at_ms = heard_at_ms WHERE account_id = $1', [
            accountId,
          ]);
        });
        if (n === 0) await shop.dataSource.query('SELECT count(*) FROM customers');
      }
    });
    const before = await rows();
    for (let round = 0; round < 5; round += 1) await rebuildOf().run();
    over = true;
    await Promise.all(busy);
    expect(await rows()).toEqual(before);
  });

  it('is carried on by another process when the one that rebuilds it is killed', async () => {
    await Promise.all(range(4).map((n) => live(`k ${n}`, n, times(25))));
    await settled(shop.dataSource);
    const before = await rows();
    await shop.dataSource.query(`UPDATE customers SET name = 'wrong'`);
    const victim = await connect(`${shop.url}?application_name=victim`, 1);
    let pages = 0;
    const killed = rebuildOf(customers, {
      dataSource: victim,
      maxTail: 10,
      onPage: async () => {
        pages += 1;
        if (pages < 4) return;
        await shop.dataSource.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'victim'`,
        );
      },
    }).run();
    await expect(killed).rejects.toThrow();
    await victim.destroy().catch(() => undefined);
    expect(await rebuildOf().status()).toMatchObject({ running: false, last: null });
    expect((await rebuildOf().status()).progress!.events).toBeGreaterThanOrEqual(21);
    await live('after', 77, times(10));
    const after = { customers: [...before['customers']!] };
    const report = await rebuildOf().run();
    expect(report.resumed).toBe(true);
    const served = await rows();
    for (const line of after.customers) expect(served['customers']).toContain(line);
    expect(served['customers']).toHaveLength(after.customers.length + 1);
    expect(await rebuildOf().status()).toMatchObject({
      running: false,
      progress: null,
      last: { events: report.events },
    });
  });

  it('shows that it is being rebuilt, in whatever process, and how far it is', async () => {
    await Promise.all(range(2).map((n) => live(`s ${n}`, n, times(20))));
    await settled(shop.dataSource);
    const seen: unknown[] = [];
    await rebuildOf(customers, {
      onPage: async () => {
        seen.push(await rebuildOf().status());
        await expect(rebuildOf().run()).rejects.toMatchObject({ code: 'rebuild_running' });
      },
      maxTail: 10,
    }).run();
    expect(seen.length).toBeGreaterThan(1);
    expect(seen[0]).toMatchObject({ running: true, progress: { events: 7 } });
    expect((seen[0] as { progress: { left: number } }).progress.left).toBeGreaterThan(7);
  });

  it('is not rebuilt from a journal that has not everything, and says what it lacks', async () => {
    await shop.dataSource.query('DELETE FROM bus_journal_coverage');
    await expect(rebuildOf().run()).rejects.toMatchObject({ code: 'journal_incomplete' });
    // Begins to be kept when the topic has been read already.
    await hear(accountOf('early'), 'early', 1);
    await registerJournal(shop.dataSource.manager, GROUP, [accountOpened]);
    await expect(rebuildOf().run()).rejects.toThrow('AccountOpened');
    // It is the beginning that counts: registering again does not heal it.
    await registerJournal(shop.dataSource.manager, GROUP, [accountOpened]);
    await expect(rebuildOf().run()).rejects.toMatchObject({ code: 'journal_incomplete' });
    expect((await rows())['customers']).toHaveLength(1);
  });

  it('reads what was published in an older version through the upcasters', async () => {
    const heads: HearingReadModel<ShopEvent> = {
      name: 'heads',
      version: 1,
      tables: ['chain_heads'],
      hears: [chainEventObserved],
      project: async (manager, facts: readonly Fact<ShopEvent>[]) => {
        for (const fact of facts) {
          if (!('heard' in fact)) continue;
          const { blockHash, log } = fact.heard.event as EventOf<typeof chainEventObserved>;
          await manager.query('INSERT INTO chain_heads VALUES ($1, $2)', [blockHash, log.name]);
        }
      },
    };
    const place = {
      ...{
        contract: 'ComputeMarket',
        chainId: 1,
        blockNumber: 7,
        logIndex: 0,
        txHash: `0x${'1'.repeat(64)}`,
      },
      ...{ blockHash: `0x${'2'.repeat(64)}`, blockTimeMs: 1, seenAtMs: 2 },
    };
    const written = async (log: object, version: number): Promise<void> => {
      const entry = entryOf(chainEventObserved, 'ComputeMarket', { ...place, log }, 3);
      const headers = { ce_type: `gridbourse.chain-indexer.ChainEventObserved.v${version}` };
      await writeJournal(shop.dataSource.manager, GROUP, [{ ...entry, headers: headers as never }]);
    };
    const deposited = { name: 'Deposited', tenant: `0x${'a'.repeat(40)}`, amountMicros: '5' };
    await written(deposited, 1);
    await rebuildOf(heads).run();
    expect((await tableRows(shop.dataSource, ['chain_heads']))['chain_heads']![0]).toContain('Deposited');
    // It is the version beside the data that counts: one that nobody can read yet stops the rebuild.
    await written(deposited, 3);
    await expect(rebuildOf(heads).run()).rejects.toMatchObject({ code: 'newer_event' });
  });

  it('keeps the words of several consumers apart', async () => {
    await live('mine', 1, times(3));
    const others = entryOf(accountOpened, accountOf('theirs'), { nonsense: true }, 1);
    await writeJournal(shop.dataSource.manager, 'somebody else', [others]);
    const before = await rows();
    await rebuildOf().run();
    expect(await rows()).toEqual(before);
  });
});
