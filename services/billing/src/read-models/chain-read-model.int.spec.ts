import { type JournalEntry, registerJournal, writeJournal } from '@gridbourse/event-bus';
import { EventStore, ReadModelRebuild } from '@gridbourse/event-store';
import {
  billingEvents,
  chainEventFinalized,
  chainEventObserved,
  chainEventRetracted,
  cloudEventTypeOf,
  EventCatalogue,
  publishedLanguage,
  topicOf,
} from '@gridbourse/events';
import { systemClock } from '@gridbourse/kernel';
import { silentLogger } from '@gridbourse/observability';
import { tableRows } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { steps } from '../../test/arbitraries.ts';
import { tellHistory, type Told, walletOf } from '../../test/chain-history.ts';
import { billingDatabase } from '../../test/database.ts';
import { ChainLogStore } from '../adapters/chain-log.store.ts';
import { chainReadModel } from './chain-read-model.ts';

// Real: Postgres, the tables of the chain's word and their journal. Written by hand: the bus.

jest.setTimeout(60_000);

const DEFINITIONS = {
  observed: chainEventObserved,
  retracted: chainEventRetracted,
  finalized: chainEventFinalized,
};
const TABLES = ['chain_logs', 'chain_lease_rows'];
const logs = new ChainLogStore();
let database: Awaited<ReturnType<typeof billingDatabase>>;
let dataSource: DataSource;
let sequence = 0;

beforeAll(async () => {
  database = await billingDatabase();
  dataSource = database.dataSource;
  await registerJournal(dataSource.manager, 'billing', Object.values(DEFINITIONS));
});
afterAll(() => database.close());

const rebuild = (pageSize: number): Promise<unknown> =>
  new ReadModelRebuild({
    dataSource,
    store: new EventStore({
      context: 'billing',
      catalogue: new EventCatalogue(billingEvents),
      clock: systemClock,
    }),
    readModel: chainReadModel(),
    logger: silentLogger,
    pageSize,
  }).run();

/** As the consumer does it: journal and effect in one transaction. */
const hear = async ({ tidings, event }: Told): Promise<void> => {
  sequence += 1;
  const definition = DEFINITIONS[tidings];
  const entry: JournalEntry = {
    topic: topicOf(definition),
    key: 'ComputeMarket',
    sequence,
    headers: { ce_type: cloudEventTypeOf(definition) } as JournalEntry['headers'],
    value: publishedLanguage.encode({ ...event, type: definition.type }).data,
    heardAtMs: 5_000 + sequence,
    note: null,
  };
  await dataSource.transaction(async (manager) => {
    await writeJournal(manager, 'billing', [entry]);
    await logs.hear(manager, tidings, event, entry.heardAtMs);
  });
};

describe("the chain's word in billing, made anew from what the indexer said", () => {
  it('is byte for byte the same, whatever the chain took back, repeated and made final', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 50 }), async (history, pageSize) => {
        await dataSource.query(`TRUNCATE ${TABLES.join(', ')}, bus_journal`);
        const { told, surviving } = tellHistory(history);
        for (const one of told) await hear(one);
        for (const event of surviving.slice(0, surviving.length / 2))
          await hear({ tidings: 'finalized', event });
        const before = await tableRows(dataSource, TABLES);
        await dataSource.query(`UPDATE chain_lease_rows SET live = NOT live, paid_micros = 7`);
        await dataSource.query(`UPDATE chain_logs SET heard_at_ms = 0, state = 'pending', amount_micros = 7`);
        await rebuild(pageSize);
        expect(await tableRows(dataSource, TABLES)).toEqual(before);
      }),
      { numRuns: 15 },
    );
  });
});

describe('a log that was kept in an older version of the published language', () => {
  const tenant = walletOf(1);
  const LIMIT = {
    name: 'SpendingLimitSet',
    tenant,
    maxRateMicrosPerHour: '7',
    maxLockedMicros: '9',
    validUntilSeconds: 5,
  };

  const keep = async (log: object, version: number): Promise<void> => {
    await dataSource.query('TRUNCATE chain_logs, chain_lease_rows');
    await dataSource.query(
      `INSERT INTO chain_logs (chain_id, block_hash, log_index, state, block_number, block_time_ms, tx_hash, name, tenant,
                               log, heard_at_ms, schema_version, seen_at_ms)
       VALUES (1, $1, 0, 'pending', 1, 1, $1, 'SpendingLimitSet', $2, $3, 1, $4, 1)`,
      [`0x${'1'.repeat(64)}`, tenant, JSON.stringify(log), version],
    );
  };
  const read = () => logs.spendingLimitOf(dataSource.manager, tenant);

  it('is read through the upcasters', async () => {
    await keep(LIMIT, 1);
    const today = await read();
    expect(today).toMatchObject({ name: 'SpendingLimitSet', tenant });
    await keep(LIMIT, 2);
    expect(await read()).toEqual(today);
  });

  it('is judged by the version beside it', async () => {
    await keep(LIMIT, 3);
    await expect(read()).rejects.toMatchObject({ code: 'newer_event' });
    // Version 1 knew no such log.
    await keep({ ...LIMIT, name: 'LeaseExtended' }, 1);
    await expect(read()).rejects.toMatchObject({ code: 'event_not_decodable' });
  });
});
