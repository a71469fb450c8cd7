import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventStoreMigrations, migrate } from '@gridbourse/event-store';
import { eventually, testDatabase, type TestDatabase } from '@gridbourse/testing';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { DeadLetters, migrateTables } from '@gridbourse/event-bus';
import { CrashRun } from './crash-run.ts';
import { type CrashPlan, GROUP } from './plan.ts';

const KEYS = 1_000;
/** 100,000 events; fewer by BUS_CRASH_EVENTS_PER_KEY, for a look at a busy machine. */
const EVENTS_PER_KEY = Number(process.env['BUS_CRASH_EVENTS_PER_KEY'] ?? 100);
const CONSUMERS = 3;
const PRODUCERS = 2;
/** On average. */
const KILLS = 25;

const EFFECTS = `CREATE TABLE effects (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, sequence int NOT NULL, count int NOT NULL, pid int NOT NULL)`;

/** Keys whose effects are not exactly 1, 2, 3 … in the order in which they were written. */
const WRONG_KEYS = `
  SELECT key, array_agg(sequence ORDER BY id) AS sequences FROM effects GROUP BY key
  HAVING array_agg(sequence ORDER BY id) <> (SELECT array_agg(n) FROM generate_series(1, $1::int) n)
    OR array_agg(count ORDER BY id) <> array_agg(sequence ORDER BY id)
  LIMIT 5`;

/** Events that the relay has still to publish: where effects are missing, it tells on which side of the bus. */
const unpublished = async (url: string): Promise<number> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM events e, outbox_checkpoint c
       WHERE sequence IS NOT NULL AND (e.tx, e.position) > (c.tx, c.position)`,
    );
    return rows[0]!.n;
  } finally {
    await client.end();
  }
};

/** Waits for a count to come so far, on a machine of whatever speed, unless it does not move for a minute. */
const comeTo = async (count: () => Promise<number>, target: number): Promise<void> => {
  for (let last = await count(); last < target;) {
    last = await eventually(
      async () => {
        const now = await count();
        return now >= target || now > last ? now : null;
      },
      { deadlineMs: 60_000, everyMs: 250 },
    );
  }
};

const migrated = async (url: string): Promise<void> => {
  const source = await new DataSource({
    type: 'postgres',
    url,
    migrations: [...eventStoreMigrations],
    poolSize: 2,
  }).initialize();
  await migrate(source);
  await source.query(EFFECTS);
  await source.destroy();
};

/** 100,000 events over 1,000 keys through processes that are killed with SIGKILL: the seed says when and which. */
export const crashContract = (
  name: string,
  busOf: () => Promise<{ bus: CrashPlan['bus']; close(): Promise<void> }>,
): void => {
  describe(`the crash test: ${name}`, () => {
    jest.setTimeout(600_000);
    const seed = Number(process.env['BUS_CRASH_SEED'] ?? Math.floor(Math.random() * 1e9));
    let producer: TestDatabase;
    let consumer: TestDatabase;
    let made: Awaited<ReturnType<typeof busOf>>;
    let effects: pg.Pool;

    beforeAll(async () => {
      [producer, consumer, made] = await Promise.all([
        testDatabase('bus_crash', migrated),
        testDatabase('bus_crash', migrated),
        busOf(),
      ]);
      await migrateTables(consumer.url, ['dead-letters']);
      effects = new pg.Pool({ connectionString: consumer.url, max: 1 });
    });
    afterAll(async () => {
      await effects.end();
      await made.close();
      await Promise.all([producer.drop(), consumer.drop()]);
    });

    it(`has each effect exactly once and in order (BUS_CRASH_SEED=${seed})`, async () => {
      process.stdout.write(`crash test, ${name}: BUS_CRASH_SEED=${seed}\n`);
      const plan: Omit<CrashPlan, 'logFile'> = {
        ...{ producerDatabase: producer.url, consumerDatabase: consumer.url, bus: made.bus },
        ...{ keys: KEYS, eventsPerKey: EVENTS_PER_KEY, producers: PRODUCERS },
      };
      const run = new CrashRun(plan, CONSUMERS, seed);
      const total = KEYS * EVENTS_PER_KEY;
      const countOf = async (): Promise<number> =>
        (await effects.query<{ n: number }>('SELECT count(*)::int AS n FROM effects')).rows[0]!.n;
      // Cheap, and a little ahead of the count: ids of transactions that were undone are not given again.
      const reached = async (): Promise<number> =>
        Number(
          (await effects.query<{ n: string }>('SELECT coalesce(max(id), 0) AS n FROM effects')).rows[0]!.n,
        );
      const since = performance.now();
      run.start(KILLS, async () => (await reached()) / total);
      try {
        await comeTo(reached, total * 0.95);
        await run.calm();
        await comeTo(countOf, total);
        process.stdout.write(
          `crash test, ${name}: ${run.kills} kills, ${Math.round((performance.now() - since) / 1_000)} s\n`,
        );
        expect((await effects.query(WRONG_KEYS, [EVENTS_PER_KEY])).rows).toEqual([]);
        expect(await countOf()).toBe(total);
        expect(run.kills).toBeGreaterThan(KILLS / 4);
        const url = made.bus.kind === 'embedded' ? made.bus.databaseUrl : consumer.url;
        const letters = new DeadLetters({ databaseUrl: url });
        expect(await letters.list({ group: GROUP })).toEqual([]);
        await letters.close();
        run.passed = true;
      } catch (error) {
        const missing = `${await countOf()} effects, ${await unpublished(producer.url)} events not published`;
        throw new Error(`seed ${seed}, ${missing}, ${run.kills} kills\n${run.complaints}`, { cause: error });
      } finally {
        await run.stop();
      }
    });
  });
};
