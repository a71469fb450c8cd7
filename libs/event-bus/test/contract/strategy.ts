import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  cloudEventTypeOf,
  type EventDefinition,
  leaseAccepted,
  leaseActivated,
  leaseFunded,
  leaseRejected,
  orderExpired,
  topicOf,
} from '@gridbourse/events';
import { currentScope, type Logger, silentLogger } from '@gridbourse/observability';
import { eventually, testDatabase, type TestDatabase } from '@gridbourse/testing';
import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import {
  BusStrategy,
  type BusRecord,
  currentCausation,
  type EventBus,
  inboxMigrationSql,
} from '../../src/index.ts';
import { record } from '../records.ts';
import { note, ReaderModule, world } from '../support/reader.ts';
import type { Suite } from './suite.ts';

const LEASES = topicOf(leaseActivated);
const ORDERS = topicOf(orderExpired);
/** Each test has keys of its own, and each run: a broker that is shared remembers earlier ones. */
let firstKey = Date.now() * 1_000;
const lease = (n: number): `lea_${string}` => `lea_${String(firstKey + n).padStart(26, '0')}`;
const order = (n: number): `ord_${string}` => `ord_${String(firstKey + n).padStart(26, '0')}`;

/** The strategy under Nest, with the inbox in a real database: what a service is, on the bus under test. */
export const strategyContract = ({ under }: Suite): void => {
  let serviceDb: TestDatabase;
  let dataSource: DataSource;
  let bus: EventBus;
  let app: INestMicroservice;
  let alarms: string[] = [];

  const startApp = async (): Promise<void> => {
    const logger: Logger = { ...silentLogger, error: (_, message) => void alarms.push(message) };
    bus = under().connect({ retry: { attempts: 3, firstDelayMs: 5, factor: 2, maxDelayMs: 50 } });
    app = await NestFactory.createMicroservice(ReaderModule, {
      strategy: new BusStrategy({ bus, dataSource, group: 'reader', logger }),
      logger: false,
    });
    await app.listen();
  };
  const stopApp = async (): Promise<void> => {
    await app.close();
    await bus.close();
  };

  beforeAll(async () => {
    serviceDb = await testDatabase('bus_reader', async (url) => {
      const source = await new DataSource({ type: 'postgres', url }).initialize();
      await source.query(`${inboxMigrationSql()} CREATE TABLE effects (what text)`);
      await source.destroy();
    });
    dataSource = await new DataSource({ type: 'postgres', url: serviceDb.url }).initialize();
    await startApp();
  });
  beforeEach(async () => {
    firstKey += 10;
    Object.assign(world, { calls: [], during: () => undefined, own: () => Promise.resolve() });
    alarms = [];
    await dataSource.query('TRUNCATE effects');
  });
  afterAll(async () => {
    await stopApp();
    await dataSource.destroy();
    await serviceDb.drop();
  });

  const effects = async (): Promise<string[]> =>
    (await dataSource.query<{ what: string }[]>('SELECT what FROM effects')).map(({ what }) => what);
  const inbox = async (key: string): Promise<number> => {
    const sql = 'SELECT sequence FROM bus_inbox WHERE key = $1';
    return Number((await dataSource.query<{ sequence: string }[]>(sql, [key]))[0]?.sequence ?? 0);
  };
  const eventOn = (
    definition: EventDefinition,
    key: string,
    sequence: number,
    value: object,
    headers: Partial<BusRecord['headers']> = {},
  ): BusRecord => {
    const base = record(topicOf(definition), key, sequence, value);
    return { ...base, headers: { ...base.headers, ce_type: cloudEventTypeOf(definition), ...headers } };
  };
  const activated = (n: number, sequence: number, headers = {}): BusRecord =>
    eventOn(leaseActivated, lease(n), sequence, { leaseId: lease(n), runningSinceMs: 7, atMs: 8 }, headers);
  const accepted = (n: number, sequence: number): BusRecord =>
    eventOn(leaseAccepted, lease(n), sequence, { leaseId: lease(n), by: 'provider', fundByMs: 7, atMs: 8 });
  const openLetters = async () =>
    (await under().deadLetters.list({ group: 'reader' })).filter(
      ({ key }) => key >= lease(0) || key === order(1),
    );

  it('hands the handler a decoded event, in a transaction with the inbox', async () => {
    await bus.publish([activated(1, 1), activated(1, 2), activated(2, 1)]);
    await eventually(async () => (await inbox(lease(1))) === 2 && (await inbox(lease(2))) === 1);
    expect((await effects()).sort()).toEqual([
      `${lease(1)} 1 since 7`,
      `${lease(1)} 2 since 7`,
      `${lease(2)} 1 since 7`,
    ]);
  });

  it('drops what was delivered before', async () => {
    await bus.publish([activated(1, 1), activated(1, 1), activated(1, 2), activated(1, 1), activated(1, 2)]);
    await bus.publish([activated(1, 3)]);
    await eventually(async () => (await inbox(lease(1))) === 3);
    expect(await effects()).toHaveLength(3);
    expect(world.calls).toHaveLength(3);
  });

  it('has the effect once when the process dies between the effect and the commit, or just after it', async () => {
    let crashes = 0;
    world.during = async (_, context) => {
      if (crashes >= 2) return;
      crashes += 1;
      // The transaction is cut while its effect is written and not committed.
      const [row] = await context.manager.query<{ pid: number }[]>('SELECT pg_backend_pid() AS pid');
      await dataSource.query('SELECT pg_terminate_backend($1, 5000)', [row!.pid]);
    };
    await bus.publish([activated(1, 1)]);
    await eventually(async () => (await inbox(lease(1))) === 1);
    expect(world.calls).toHaveLength(3);
    expect(await effects()).toHaveLength(1);

    // The offset is lost after the commit: the bus delivers everything again.
    await stopApp();
    await under().rewind('reader');
    await startApp();
    await bus.publish([activated(1, 2)]);
    await eventually(async () => (await inbox(lease(1))) === 2);
    expect(await effects()).toHaveLength(2);
  });

  it('undoes the effect of a handler that throws, and tries again', async () => {
    let failures = 0;
    world.during = () => {
      failures += 1;
      if (failures < 3) throw new Error('not yet');
    };
    await bus.publish([activated(1, 1)]);
    await eventually(async () => (await inbox(lease(1))) === 1);
    expect(await effects()).toHaveLength(1);
    expect(failures).toBe(3);
  });

  it('calls all handlers of an event in one transaction: all or none', async () => {
    let fail = true;
    world.during = () => {
      if (fail) throw new Error('the second fails');
    };
    const expired = (n: number) => eventOn(orderExpired, order(n), 1, { orderId: order(n), atMs: 1 });
    await bus.publish([expired(1)]);
    await eventually(async () => (await openLetters()).length === 1);
    expect((await openLetters())[0]!.error).toContain('the second fails');
    expect(await effects()).toEqual([]);
    fail = false;
    await under().deadLetters.replay({ group: 'reader', topic: ORDERS, key: order(1) });
    await eventually(async () => (await effects()).length === 2);
    expect((await effects()).sort()).toEqual([`first ${order(1)}`, `second ${order(1)}`]);
  });

  it('raises an alarm at a gap and holds the key, but no other', async () => {
    await bus.publish([activated(1, 1), activated(1, 3), activated(1, 4), activated(2, 1)]);
    await eventually(async () => (await openLetters()).length === 2 && (await inbox(lease(2))) === 1);
    expect(await inbox(lease(1))).toBe(1);
    expect((await openLetters()).map(({ state }) => state)).toEqual(['failed', 'waiting']);
    expect((await openLetters())[0]!.error).toContain('has seen');
    expect(alarms).toContain('a gap in the sequence: the key is held');
  });

  it('notes the place of events that nobody here asked for, whatever their version', async () => {
    const rejected = eventOn(leaseRejected, lease(1), 1, { leaseId: lease(1), reason: 'no', atMs: 1 });
    const newer = eventOn(
      leaseFunded,
      lease(1),
      2,
      { shape: 'of tomorrow' },
      {
        ce_type: 'gridbourse.matchmaker.LeaseFunded.v9',
      },
    );
    await bus.publish([rejected, newer, activated(1, 3)]);
    await eventually(async () => (await inbox(lease(1))) === 3);
    expect(world.calls).toEqual(['LeaseActivated 3']);
  });

  it.each([
    ['a type that is not known', { ce_type: 'gridbourse.matchmaker.LeaseTeleported.v1' }, 'unknown_event'],
    ['a type of another context', { ce_type: 'gridbourse.billing.LeaseActivated.v1' }, 'unknown_event'],
    ['a type that is not ours', { ce_type: 'com.example.thing' }, 'unknown_event'],
    [
      'a newer version of what is handled',
      { ce_type: 'gridbourse.matchmaker.LeaseActivated.v2' },
      'newer_event',
    ],
  ])('parks %s at once', async (_, headers, code) => {
    await bus.publish([activated(1, 1, headers), activated(1, 2)]);
    await eventually(async () => (await openLetters()).length === 2);
    const [first] = await openLetters();
    expect(first!.attempts).toBe(1);
    expect(first!.errorCode).toBe(code);
    expect(`${first!.error}`).toMatch(code === 'newer_event' ? /cannot be read/ : /is not known here/);
    expect(await effects()).toEqual([]);
  });

  it('parks a payload that does not fit its schema, and lets an operator skip it', async () => {
    const misfit = eventOn(leaseActivated, lease(1), 1, { leaseId: 'nonsense' });
    await bus.publish([misfit, activated(1, 2)]);
    await eventually(async () => (await openLetters()).length === 2);
    await under().deadLetters.skip((await openLetters())[0]!.id, 'published by a faulty build');
    await eventually(async () => (await inbox(lease(1))) === 2);
    expect(await effects()).toEqual([`${lease(1)} 2 since 7`]);
    await eventually(async () => (await openLetters()).length === 0);
  });

  it('lets a handler with its own transaction record the inbox in it', async () => {
    let rolledBack = false;
    world.own = (context) =>
      dataSource.transaction(async (manager) => {
        expect(await context.recordInbox(manager)).toBe('new');
        await note(manager, `own ${context.key}`);
        if (!rolledBack) {
          rolledBack = true;
          throw new Error('rolled back');
        }
      });
    await bus.publish([accepted(1, 1), accepted(1, 1)]);
    await eventually(async () => (await inbox(lease(1))) === 1);
    await bus.publish([activated(1, 2)]);
    await eventually(async () => (await inbox(lease(1))) === 2);
    expect(await effects()).toEqual([`own ${lease(1)}`, `${lease(1)} 2 since 7`]);
  });

  it('records the inbox for a handler with its own transaction that had nothing to do', async () => {
    world.own = (context) => Promise.resolve(expect(() => context.manager).toThrow('its own transaction'));
    await bus.publish([accepted(1, 1), activated(1, 2)]);
    await eventually(async () => (await inbox(lease(1))) === 2);
  });

  it('runs handlers in the trace of the record', async () => {
    const traceId = 'c'.repeat(32);
    const seen: unknown[] = [];
    world.during = () => void seen.push(currentScope()?.traceId, currentScope()?.service, currentCausation());
    await bus.publish([activated(1, 1, { traceparent: `00-${traceId}-${'d'.repeat(16)}-01` })]);
    await eventually(() => seen.length === 3);
    expect(seen).toEqual([
      traceId,
      'reader',
      { causationId: `${lease(1)}@1`, traceparent: expect.stringContaining(traceId) },
    ]);
  });

  it('waits for as long as the database of the service is away, whatever the budget', async () => {
    const good = dataSource.transaction.bind(dataSource);
    const query = dataSource.query.bind(dataSource);
    let refused = 0;
    const away = (): Promise<never> => {
      refused += 1;
      return Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
    };
    Object.assign(dataSource, { transaction: away, query: away });
    await bus.publish([activated(1, 1)]);
    await eventually(() => refused > 12);
    expect(await openLetters()).toEqual([]);
    Object.assign(dataSource, { transaction: good, query });
    await eventually(async () => (await inbox(lease(1))) === 1);
    expect(await effects()).toHaveLength(1);
  });

  it('knows which topics to read from its handlers', async () => {
    const topics = (await under().topics()).filter((topic) => topic.startsWith('gridbourse.matchmaker.'));
    expect(topics.sort()).toEqual([LEASES, ORDERS].sort());
  });
};
