import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { memoryUnderTest, redisUnderTest, type StoreUnderTest } from '../../test/store-under-test.ts';
import { redisForTests, type RedisForTests } from '../../test/redis-for-tests.ts';
import { cellOf } from '../gcra.ts';

// Real here: Redis and time. Two clients stand for two processes.

const MINUTE_MS = 60_000;
let redis: RedisForTests;
let under: StoreUnderTest;
beforeAll(async () => {
  redis = await redisForTests();
  under = await redisUnderTest(redis.url);
}, 120_000);
afterAll(async () => {
  await under.close();
  await redis.stop();
});

let runs = 0;
const newKey = (): string => `run-${(runs += 1)}`;

describe('histories of several processes', () => {
  it('never spend more than the policy in any span of time', async () => {
    const policies = fc.record({
      quota: fc.integer({ min: 1, max: 20 }),
      windowMs: fc.integer({ min: 20, max: 200 }),
    });
    await fc.assert(
      fc.asyncProperty(
        policies,
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }),
        async (policy, wishes) => {
          const key = newKey();
          const { intervalUs } = cellOf(policy);
          const admitted: { fromUs: number; toUs: number; cost: number }[] = [];
          const until = (await under.nowUs()) + 150_000;
          await Promise.all(
            wishes.map(async (wish, n) => {
              const cost = Math.min(wish, policy.quota);
              for (;;) {
                const fromUs = await under.nowUs();
                if (fromUs > until) return;
                const spent = await (n % 2 === 0 ? under.store : under.other).spend(key, policy, cost);
                if (spent.allowed) admitted.push({ fromUs, toUs: await under.nowUs(), cost });
              }
            }),
          );
          expect(admitted.length).toBeGreaterThan(0);
          for (const first of admitted) {
            for (const last of admitted) {
              // Those decided surely within this span; the span itself is measured by the server's clock, generously.
              const within = admitted.filter((one) => one.fromUs >= first.fromUs && one.toUs <= last.toUs);
              const units = within.reduce((sum, one) => sum + one.cost, 0);
              const span = Math.max(last.toUs - first.fromUs, 0);
              expect(units).toBeLessThanOrEqual(policy.quota + span / intervalUs);
            }
          }
        },
      ),
      { numRuns: 12 },
    );
  });

  it('take each value once, and only after it was put', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('put', 'take', 'take'), { maxLength: 40 }),
        async (operations) => {
          const key = newKey();
          const outcomes = await Promise.all(
            operations.map(async (operation, n) => {
              const store = n % 2 === 0 ? under.store : under.other;
              const done =
                operation === 'put'
                  ? await store.putOnce(key, 'x', MINUTE_MS)
                  : (await store.take(key)) !== null;
              return { operation, done };
            }),
          );
          const count = (operation: string): number =>
            outcomes.filter((outcome) => outcome.done && outcome.operation === operation).length;
          const left = (await under.store.take(key)) === null ? 0 : 1;
          expect(count('take') + left).toBe(count('put'));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('give fencing tokens that grow, and a lock to one at a time', async () => {
    const name = newKey();
    let holders = 0;
    const given: bigint[] = [];
    await Promise.all(
      Array.from({ length: 6 }, async (_, n) => {
        const store = n % 2 === 0 ? under.store : under.other;
        for (let wins = 0; wins < 15;) {
          const token = await store.acquire(name, MINUTE_MS);
          if (token === null) continue;
          holders += 1;
          expect(holders).toBe(1);
          given.push(token);
          wins += 1;
          holders -= 1;
          expect(await store.release(name, token)).toBe(true);
        }
      }),
    );
    expect(given).toHaveLength(90);
    for (const [n, token] of given.entries()) if (n > 0) expect(token).toBeGreaterThan(given[n - 1]!);
  });
});

describe('both adapters', () => {
  const keys = fc.constantFrom('a', 'b', 'c');
  const policies = fc.constantFrom(
    { quota: 3, windowMs: 7 * 86_400_000 },
    { quota: 10, windowMs: 86_400_000 },
  );
  /** Time stands still for what is kept, but for what lapses: it has ended on both before anything else is asked. */
  const commands = fc.oneof(
    fc.record({
      do: fc.constant('spend' as const),
      key: keys,
      policy: policies,
      cost: fc.integer({ min: 0, max: 4 }),
    }),
    fc.record({ do: fc.constant('putOnce' as const), key: keys, value: fc.string() }),
    fc.record({ do: fc.constant('take' as const), key: keys }),
    fc.record({
      do: fc.constant('putLatest' as const),
      key: keys,
      atMs: fc.integer({ min: -1, max: 9 }),
      value: fc.string(),
    }),
    fc.record({ do: fc.constant('getLatest' as const), key: keys, second: keys }),
    fc.record({ do: fc.constant('acquire' as const), key: keys }),
    fc.record({ do: fc.constant('extend' as const), key: keys, nth: fc.nat(5) }),
    fc.record({ do: fc.constant('release' as const), key: keys, nth: fc.nat(5) }),
    fc.record({ do: fc.constant('lapse' as const), key: keys }),
  );
  type Command = typeof commands extends fc.Arbitrary<infer C> ? C : never;

  /** What a store answers, with tokens by the order in which they were given. */
  const play = async ({ store, pass }: StoreUnderTest, prefix: string, history: readonly Command[]) => {
    const tokens: bigint[] = [];
    const answer = async (command: Command): Promise<unknown> => {
      const key = `${prefix}/${command.key}`;
      switch (command.do) {
        case 'spend': {
          const { allowed, remaining } = await store.spend(
            `${key}/${command.policy.quota}`,
            command.policy,
            command.cost,
          );
          return { allowed, remaining };
        }
        case 'putOnce':
          return store.putOnce(key, command.value, MINUTE_MS * 60);
        case 'take':
          return store.take(key);
        case 'putLatest':
          return store.putLatest([{ key, atMs: command.atMs, value: command.value }], MINUTE_MS * 60);
        case 'getLatest':
          return store.getLatest([key, `${prefix}/${command.second}`]);
        case 'acquire': {
          const token = await store.acquire(key, MINUTE_MS * 60);
          if (token !== null) tokens.push(token);
          return token === null ? null : [...tokens].sort((a, b) => (a < b ? -1 : 1)).indexOf(token);
        }
        case 'extend':
          return store.extend(key, tokens[command.nth] ?? 0n, MINUTE_MS * 60);
        case 'release':
          return store.release(key, tokens[command.nth] ?? 0n);
        case 'lapse': {
          const [once, , token] = [
            await store.putOnce(key, 'short', 5),
            await store.putLatest([{ key, atMs: 10, value: 'short' }], 5),
            await store.acquire(key, 5),
          ];
          await pass(10);
          return [once, token !== null, await store.getLatest([key])];
        }
      }
    };
    const answers: unknown[] = [];
    for (const command of history) {
      answers.push(await answer(command).catch((error: { code?: string }) => ({ refused: error.code })));
    }
    return answers;
  };

  it('give the same answers to the same commands', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(commands, { maxLength: 40 }), async (history) => {
        const prefix = newKey();
        const memory = await memoryUnderTest();
        expect(await play(under, prefix, history)).toEqual(await play(memory, prefix, history));
      }),
      { numRuns: 80 },
    );
  }, 120_000);
});
