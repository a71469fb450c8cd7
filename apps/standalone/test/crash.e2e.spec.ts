import { nextInt, seededRandom } from '@gridbourse/kernel';
import { GridbourseClient } from '@gridbourse/sdk';
import { expectBooksInOrder, type Finished, PlatformProcess, readWorld } from '@gridbourse/testing/platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';

// Real here: everything. The platform's process is killed with SIGKILL; database, chain and providers live on.

/** GRIDBOURSE_CRASH_SEED repeats a run; GRIDBOURSE_CRASH_KILLS makes it longer. */
const SEED = Number(process.env['GRIDBOURSE_CRASH_SEED'] ?? Date.now() % 1_000_000);
const KILLS = Number(process.env['GRIDBOURSE_CRASH_KILLS'] ?? 30);
/** From the start of the process: some kills hit the start-up, most hit the demo. */
const LONGEST_LIFE_MS = 9_000;

describe(`the platform's process, killed ${KILLS} times at random moments of the demo (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  let platform: PlatformProcess;
  let runs = 0;

  beforeAll(async () => {
    process.stderr.write(`crash test: GRIDBOURSE_CRASH_SEED=${SEED}\n`);
    platform = await PlatformProcess.prepare();
    await platform.start();
  }, 180_000);
  afterAll(() => platform.discard(), 60_000);

  const demo = (): { finished: Promise<Finished>; done: () => boolean } => {
    runs += 1;
    let over = false;
    const finished = platform
      .cli(['demo', '--json', '--no-start', '--run', `crash-${SEED}-${runs}`, '--wait-seconds', '900'])
      .then((result) => {
        over = true;
        return result;
      });
    return { finished, done: () => over };
  };

  it('loses nothing and doubles nothing', async () => {
    let current = demo();
    const results: Finished[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const lifeMs = 500 + nextInt(random, LONGEST_LIFE_MS);
      const dies = Date.now() + lifeMs;
      const ready = platform.running ? Promise.resolve(0) : platform.start();
      // Killed while it starts, it ends before it is ready: that is what is wanted here.
      ready.catch(() => undefined);
      while (Date.now() < dies) {
        if (current.done()) {
          results.push(await current.finished);
          current = demo();
        }
        await pause(20);
      }
      await platform.kill();
    }
    await platform.start();
    results.push(await current.finished);
    for (const result of results)
      expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 0, stderr: '' });

    const client = new GridbourseClient({
      origin: platform.origin,
      auth: { apiKey: platform.tenant.apiKey },
      deadlineMs: 60_000,
    });
    const { orders, leases } = await readWorld(client);
    expect(orders.length).toBeGreaterThan(10);
    expect(leases.filter((lease) => !['closed', 'lapsed', 'rejected'].includes(lease.state))).toEqual([]);
    await expectBooksInOrder(client);
  }, 1_200_000);
});
