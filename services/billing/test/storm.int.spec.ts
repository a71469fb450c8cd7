import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type Id, nextInt, seededRandom } from '@gridbourse/kernel';
import { ReadModelOperations } from '@gridbourse/api';
import { spoilAndRebuild } from '@gridbourse/testing';
import pg from 'pg';
import { ReconciliationTask } from '../src/features/reconciliation/reconciliation.task.ts';
import { World } from './world.ts';

// Real: Postgres, bus, chain and contracts, the relayer. Played: the other services and the indexer.
let world: World;
beforeAll(async () => {
  world = await World.create();
  await world.openAccount();
  await world.deposit(100_000_000n);
  await world.consent();
  await world.until(() => world.heard.length >= 2 || null);
}, 120_000);
afterAll(() => world.close(), 60_000);

const seed = Number(process.env['STORM_SEED'] ?? Date.now() % 1_000_000);
const LEASES = 10;
const CRASHES = 15;

const MODELS = [
  { name: 'accounts', spoil: [`UPDATE accounts SET name = 'wrong'`] },
  {
    name: 'chain',
    spoil: [`UPDATE chain_lease_rows SET live = NOT live`, 'UPDATE chain_logs SET heard_at_ms = 0'],
  },
  { name: 'usage', spoil: ['DELETE FROM usage_records WHERE seconds % 2 = 0'] },
];

/** Between faults, not for results. */
const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Cuts every connection of billing at once, whatever it was doing: what a crash leaves is what was committed. */
const cutConnections = async (): Promise<void> => {
  const client = new pg.Client({ connectionString: process.env['TEST_PG_URL'] + '/postgres' });
  await client.connect();
  await client.query(
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'gridbourse-billing'`,
    [world.databaseName],
  );
  await client.end();
};

const live = async (n: number): Promise<{ leaseId: Id<'lease'>; seconds: number }> => {
  const random = seededRandom(seed + n);
  const leaseId = await world.propose(`storm ${n}`);
  await world.accept(leaseId);
  if (n % 5 === 4) {
    await world.lapse(leaseId);
    return { leaseId, seconds: 0 };
  }
  await world.until(async () => (await world.lease(leaseId).catch(() => null))?.['opened_at_ms'] ?? null);
  await world.running(leaseId);
  let seconds = 0;
  for (let window = 0; window < 4; window += 1) {
    const length = 1 + nextInt(random, 20);
    seconds += length;
    await world.usage(leaseId, length, seconds);
    await world.until(async () => {
      const lease = await world.lease(leaseId).catch(() => null);
      return lease?.['cumulative_seconds'] === seconds || null;
    });
  }
  await world.closeMeter(leaseId, seconds);
  return { leaseId, seconds };
};

/** Crashes at random moments, so many and no more: what is slow after that is stuck. */
const storm = async (): Promise<void> => {
  const random = seededRandom(seed);
  for (let crash = 0; crash < CRASHES; crash += 1) {
    await pause(nextInt(random, 600));
    if (nextInt(random, 3) === 0) await world.restart();
    else await cutConnections();
  }
};

/** Makes read models anew in the middle of it all. The storm takes many of them, and the next one carries on. */
const rebuildUntil = async (over: () => boolean): Promise<number> => {
  let ended = 0;
  while (!over()) {
    for (const { name } of MODELS) {
      try {
        const operations = world.service.app.get(ReadModelOperations);
        await operations.start(name);
        while ((await operations.find(name)).running) await pause(20);
        if ((await operations.find(name)).failure === null) ended += 1;
      } catch {
        await pause(50);
      }
    }
  }
  return ended;
};

it(`no crash loses or doubles anything (seed ${seed})`, async () => {
  let over = false;
  // Time must earn on chain what the meters say.
  const clock = (async () => {
    while (!over) {
      await world.passOnChain(50);
      await pause(100);
    }
  })();
  const stormy = storm();
  const rebuilding = rebuildUntil(() => over);
  const lived = await Promise.all(Array.from({ length: LEASES }, (_, n) => live(n))).finally(async () => {
    over = true;
    await Promise.allSettled([clock, stormy, rebuilding]);
  });
  await stormy;
  expect(await rebuilding).toBeGreaterThan(0);

  for (const { leaseId, seconds } of lived) {
    const lease = await world.until(async () => {
      const row = await world.lease(leaseId);
      const neverOpened = row?.['opening'] === 'none' && row['lapsed_at_ms'] !== null;
      return row && (row['closed_at_ms'] !== null || neverOpened) ? row : null;
    });
    expect({ leaseId, settled: lease['settled_micros'] }).toEqual({
      leaseId,
      settled: String(seconds * 1_000),
    });
    if (lease['closed_at_ms'] !== null) await world.event('LeaseSettled', leaseId);
    expect(world.eventsOf(leaseId).filter((type) => type === 'LeaseSettled').length).toBeLessThanOrEqual(1);
  }
  const spent = lived.reduce((sum, { seconds }) => sum + BigInt(seconds) * 1_000n, 0n);
  expect(await world.books()).toMatchObject({ spent, locked: 0n, free: 100_000_000n - spent });
  expect((await world.market().tenantOf(world.wallet)).free).toBe(100_000_000n - spent);
  const { findings } = await world.service.app.get(ReconciliationTask).reconcile(null);
  expect(findings).toEqual([]);

  // What other services said has survived the storm too: what follows from it can be made anew.
  const operations = world.service.app.get(ReadModelOperations);
  for (const model of MODELS) {
    const { before, after } = await spoilAndRebuild(world.dataSource, operations, model);
    expect(Object.values(before).flat().length).toBeGreaterThan(0);
    expect({ name: model.name, ...after }).toEqual({ name: model.name, ...before });
  }
}, 240_000);
