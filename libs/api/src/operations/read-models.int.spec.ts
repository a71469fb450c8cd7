import { type EventContext, OnEvent } from '@gridbourse/event-bus';
import type { ReadModel } from '@gridbourse/event-store';
import {
  accountOpened,
  apiKeyIssued,
  type DomainEvent,
  escrowChanged,
  escrowLow,
  EventCatalogue,
  type EventOf,
  topicOf,
} from '@gridbourse/events';
import { ManualClock, newId, systemClock, systemRandom } from '@gridbourse/kernel';
import { eventually, tableRows } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Controller, Module } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { DataSource } from 'typeorm';
import { newAccountId, openedAccount, ServiceUnderTest } from '../../test/service-under-test.ts';
import { baseConfig } from '../service/base-config.ts';
import { defineService } from '../service/definition.ts';

// Real here: Postgres, the embedded bus, Fastify, the chassis with its copy of accounts and its journal.

jest.setTimeout(60_000);
const PATIENT = { deadlineMs: 30_000 };

/** What the handlers below do this time. */
const world = { failures: 0, heardAtMs: [] as number[] };

@Controller()
class Listener {
  /** Keeps what is about much money only, in a transaction of its own, with a note. */
  @OnEvent(escrowChanged, { transaction: 'handler', journal: ({ freeMicros }) => freeMicros > 100n })
  async onEscrow(@Payload() event: EventOf<typeof escrowChanged>, @Ctx() context: EventContext) {
    if (event.freeMicros === 999n) return; // found nothing to do, and opened no transaction
    await database().transaction(async (manager) => {
      await context.recordInbox(manager, { heardAtMs: 77, note: { free: event.freeMicros.toString() } });
      if (world.failures > 0) {
        world.failures -= 1;
        throw new Error('rolled back');
      }
    });
  }

  /** Keeps nothing. */
  @OnEvent(escrowLow)
  onEscrowLow(@Payload() _: EventOf<typeof escrowLow>, @Ctx() context: EventContext): void {
    world.heardAtMs.push(context.heardAtMs);
  }
}

@Module({ controllers: [Listener] })
class ListenerModule {}

/** What the listener keeps is for this one, whose table is never asked for. */
const purses: ReadModel<DomainEvent> = {
  ...{ name: 'purses', version: 1, tables: [] },
  hears: [escrowChanged],
  project: () => Promise.resolve(),
};

const service = defineService({
  name: 'matchmaker',
  configSchema: baseConfig,
  catalogue: new EventCatalogue([]),
  entities: [],
  migrations: [],
  readModels: () => [purses],
  module: () => ListenerModule,
  publicPaths: [],
});

let running: ServiceUnderTest;
const clock = new ManualClock(Date.now());
const database = (): DataSource => running.dataSource;

const escrow = (id: string, freeMicros: bigint): DomainEvent => ({
  ...{ type: 'EscrowChanged', accountId: id, freeMicros, depositedMicros: freeMicros },
  ...{ lockedMicros: 0n, spentMicros: 0n, withdrawnMicros: 0n, atMs: 1 },
});

const OPERATOR_KEY = `gbk_${'o'.repeat(43)}`;
const TENANT_KEY = `gbk_${'t'.repeat(43)}`;
const call = (path: string, method = 'GET', key = OPERATOR_KEY): Promise<Response> =>
  running.call(method, path, key);
const json = async <T>(path: string, method = 'GET', status = 200): Promise<T> => {
  const response = await call(path, method);
  expect([path, response.status]).toEqual([path, status]);
  return (await response.json()) as T;
};
const taken = (topic: string, key: string): Promise<unknown> =>
  eventually(async () => {
    const rows = await database().query<{ sequence: string }[]>(
      'SELECT sequence FROM bus_inbox WHERE topic = $1 AND key = $2',
      [topic, key],
    );
    return Number(rows[0]?.sequence ?? 0) === running.lastSequence(topic, key);
  }, PATIENT);
const journal = (key: string) =>
  database().query<{ sequence: string; type: string; heard_at_ms: string; note: unknown }[]>(
    'SELECT sequence, type, schema_version, heard_at_ms, note FROM bus_journal WHERE key = $1 ORDER BY sequence',
    [key],
  );

type Shown = {
  name: string;
  tables: string[];
  state: string;
  progress: unknown;
  lastRebuild: { events: number; finishedAt: string } | null;
  failure: { code: string } | null;
};

beforeAll(async () => {
  running = await ServiceUnderTest.start(service, { clock });
  await running.admit(OPERATOR_KEY, ['operator']);
  await running.admit(TENANT_KEY, ['orders:write']);
}, 60_000);
afterAll(() => running.close());

describe('the journal of what a service hears', () => {
  const ESCROW = topicOf(escrowChanged);

  it('has what its handlers ask for, as it was published, with the time and the note of the handler', async () => {
    const key = newAccountId();
    await running.say(key, escrow(key, 5n), escrow(key, 500n), escrow(key, 999n));
    await taken(ESCROW, key);
    expect(await journal(key)).toEqual([
      { sequence: '2', type: 'EscrowChanged', schema_version: 1, heard_at_ms: '77', note: { free: '500' } },
      {
        ...{ sequence: '3', type: 'EscrowChanged', schema_version: 1, note: null },
        heard_at_ms: String(clock.now()),
      },
    ]);
  });

  it('has nothing of what was rolled back, and has it once when it was tried again or came twice', async () => {
    const key = newAccountId();
    world.failures = 2;
    const twice = running.record(key, escrow(key, 500n));
    await running.bus.publish([twice, twice]);
    await taken(ESCROW, key);
    expect(await journal(key)).toHaveLength(1);
  });

  it('has what comes in batches, one row each', async () => {
    const keys = Array.from({ length: 40 }, newAccountId);
    await running.bus.publish(
      keys.flatMap((key) => [
        running.record(key, openedAccount(key, 'é "x"')),
        running.record(key, openedAccount(key)),
      ]),
    );
    for (const key of keys) await taken(topicOf(accountOpened), key);
    for (const key of keys) expect((await journal(key)).map(({ sequence }) => sequence)).toEqual(['1', '2']);
  });

  it('has nothing of what nobody asks to keep', async () => {
    const leaseId = newId('lease', systemClock.now(), systemRandom);
    await running.say(leaseId, {
      type: 'EscrowLow',
      leaseId,
      secondsLeft: 1,
      zeroTimeAtMs: 2,
      atMs: 3,
    } as DomainEvent);
    await taken(topicOf(escrowLow), leaseId);
    expect(await journal(leaseId)).toEqual([]);
    expect(world.heardAtMs).toEqual([clock.now()]);
  });

  it('has nothing of what an operator gave up, so that a rebuild leaves it out as well', async () => {
    const key = newAccountId();
    await running.bus.publish([
      running.record(key, openedAccount(key), 'NobodyKnowsThis'),
      running.record(key, openedAccount(key)),
    ]);
    const [failed] = await eventually(async () => {
      const { items } = await json<{ items: { id: string }[] }>(`/ops/dead-letters?key=${key}`);
      return items.length === 2 && items;
    }, PATIENT);
    const skipped = await fetch(`${running.origin}/ops/dead-letters/${failed!.id}/skip`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'not for us' }),
    });
    expect(skipped.status).toBe(202);
    await taken(topicOf(accountOpened), key);
    expect((await journal(key)).map(({ sequence }) => sequence)).toEqual(['2']);
  });

  it('knows that it has had everything from the beginning', async () => {
    const rows = await database().query<{ type: string; complete: boolean }[]>(
      'SELECT type, complete FROM bus_journal_coverage ORDER BY type',
    );
    expect(rows).toEqual(
      ['AccountOpened', 'ApiKeyIssued', 'ApiKeyRevoked', 'EscrowChanged'].map((type) => ({
        type,
        complete: true,
      })),
    );
  });
});

describe('the read models of a service', () => {
  const idle = (after: string | undefined): Promise<Shown> =>
    eventually(async () => {
      const model = await json<Shown>('/ops/read-models/accounts');
      return model.state === 'idle' && model.lastRebuild?.finishedAt !== after && model;
    }, PATIENT);

  it('are for operators only', async () => {
    for (const [path, method] of [
      ['/ops/read-models', 'GET'],
      ['/ops/read-models/accounts', 'GET'],
      ['/ops/read-models/accounts/rebuild', 'POST'],
      ['/ops/read-models/accounts/abort', 'POST'],
    ] as const) {
      expect([path, (await call(path, method, TENANT_KEY)).status]).toEqual([path, 403]);
      expect([path, (await fetch(`${running.origin}${path}`, { method })).status]).toEqual([path, 401]);
    }
  });

  it('are listed, made anew on request, and are the same then', async () => {
    expect((await json<{ items: Shown[] }>('/ops/read-models')).items).toEqual([
      {
        ...{ name: 'accounts', tables: ['accounts', 'api_keys'], state: 'idle' },
        ...{ progress: null, lastRebuild: null, failure: null },
      },
      expect.objectContaining({ name: 'purses', tables: [] }),
    ]);
    const before = await tableRows(database(), ['accounts', 'api_keys']);
    await database().query(`UPDATE accounts SET name = 'wrong'`);
    expect(await json('/ops/read-models/accounts/rebuild', 'POST', 202)).toEqual({ accepted: true });
    const { lastRebuild } = await idle(undefined);
    const kept = await database().query<unknown[]>(
      `SELECT FROM bus_journal WHERE topic = 'gridbourse.registry.account'`,
    );
    expect(lastRebuild!.events).toBe(kept.length);
    expect(await tableRows(database(), ['accounts', 'api_keys'])).toEqual(before);
  });

  it('say why they could not be made anew, until they are', async () => {
    const before = (await json<Shown>('/ops/read-models/accounts')).lastRebuild?.finishedAt;
    await database().query(`UPDATE bus_journal_coverage SET complete = false WHERE type = 'ApiKeyIssued'`);
    await json('/ops/read-models/accounts/rebuild', 'POST', 202);
    await eventually(async () => {
      expect(await json<Shown>('/ops/read-models/accounts')).toMatchObject({
        state: 'idle',
        failure: { code: 'journal_incomplete', detail: expect.stringContaining(apiKeyIssued.type) },
      });
    }, PATIENT);
    await database().query('UPDATE bus_journal_coverage SET complete = true');
    await json('/ops/read-models/accounts/rebuild', 'POST', 202);
    expect((await idle(before)).failure).toBeNull();
  });

  it('carry on what was interrupted, or throw it away', async () => {
    // What a process that was killed in the middle leaves behind.
    const interrupted = async (): Promise<void> => {
      await database().query(`
        INSERT INTO read_model_rebuilds (name, projection_version, shape, tx, position, events)
        VALUES ('accounts', 1, 'of another time', '0', 0, 3)`);
    };
    await interrupted();
    expect(await json<Shown>('/ops/read-models/accounts')).toMatchObject({
      state: 'interrupted',
      progress: { events: 3, left: expect.any(Number) },
    });
    await json('/ops/read-models/accounts/abort', 'POST', 202);
    expect(await json<Shown>('/ops/read-models/accounts')).toMatchObject({ state: 'idle', progress: null });
    await interrupted();
    const before = (await json<Shown>('/ops/read-models/accounts')).lastRebuild?.finishedAt;
    await json('/ops/read-models/accounts/rebuild', 'POST', 202);
    expect(await idle(before)).toMatchObject({ progress: null, failure: null });
  });

  it('say what is wrong with a question', async () => {
    await json('/ops/read-models/none', 'GET', 404);
    await json('/ops/read-models/none/rebuild', 'POST', 404);
    await json('/ops/read-models/none/abort', 'POST', 404);
    await json('/ops/read-models/No%20Name', 'GET', 422);
  });
});
