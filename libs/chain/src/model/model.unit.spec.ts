import { describe, expect, it } from '@jest/globals';
import { shuffled, seededRandom } from '@gridbourse/kernel';
import fc from 'fast-check';
import { START_SECONDS, tenants } from '../../test/replay/cast.ts';
import { drawSequence } from '../../test/replay/draw.ts';
import { drawPapers } from '../../test/replay/papers.ts';
import { worldAfterPrologue } from '../../test/replay/prologue.ts';
import { costMicros, earnedMicros, least, secondsToEarn } from './amounts.ts';
import { isOpen } from './leases.ts';
import { type Operation, perform } from './model.ts';
import { balanceOf } from './token.ts';
import { type BatchRow } from './values.ts';
import { type World } from './world.ts';

// All pure: no chain, no bytecode. That the contracts do the same is for contracts/tools/model.mjs to show.
const papers = drawPapers(1);
const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const sum = <T>(items: Iterable<T>, of: (item: T) => bigint): bigint =>
  [...items].reduce((total, item) => total + of(item), 0n);

/** Carries a random sequence out and looks at the world after every call. */
const everyWorldOf = (
  seed: number,
  look: (world: World, operation: Operation, refused: boolean) => void,
): void => {
  const world = worldAfterPrologue();
  for (const operation of drawSequence(seed, papers)) {
    const outcome = perform(world, operation);
    look(world, operation, 'refusal' in outcome);
  }
};

/** What was given to a contract for nothing: transfers that no rule knows of. */
const isGift = (
  { contract, method, args }: Operation,
  world: World,
  to: 'market' | 'registry' | 'rewards',
): boolean => contract === 'token' && method === 'transfer' && args[0] === world.deployment.addresses[to];

describe('the model of the money rules', () => {
  it('locks the ceiling and earns the floor', () => {
    expect(costMicros(3_601n, 1n)).toBe(2n);
    expect(earnedMicros(3_601n, 1n)).toBe(1n);
    expect(secondsToEarn(costMicros(7n, 3_600n), 7n)).toBe(3_600n);
    expect(earnedMicros(7n, secondsToEarn(1n, 7n) - 1n)).toBe(0n);
  });

  it('keeps what each contract holds equal to what it owes, and gifts', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const gifts = { market: 0n, registry: 0n, rewards: 0n };
        everyWorldOf(seed, (world, operation, refused) => {
          for (const contract of ['market', 'registry', 'rewards'] as const) {
            if (!refused && isGift(operation, world, contract))
              gifts[contract] += operation.args[1] as bigint;
          }
          const { market, registry, rewards } = world;
          const owed = {
            market:
              sum(market.tenants.values(), ({ free, locked }) => free + locked) +
              sum(market.earnings.values(), ({ earned, claimed }) => earned - claimed) -
              // What is settled counts as earned and, until the lease closes, as locked.
              sum(market.leases.values(), (lease) => (isOpen(lease) ? lease.settled : 0n)),
            registry:
              sum(registry.providers.values(), ({ stake, thawing }) => stake + thawing) +
              sum(registry.credits.values(), (credit) => credit),
            rewards: sum(rewards.eras.values(), ({ pool, paid }) => pool - paid),
          };
          for (const contract of ['market', 'registry', 'rewards'] as const) {
            const held = balanceOf(world, world.deployment.addresses[contract]);
            expect(held).toBe(owed[contract] + gifts[contract]);
          }
        });
      }),
    );
  });

  it('never settles beyond the lock or what time has earned, and sums what is open', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        everyWorldOf(seed, (world) => {
          for (const lease of world.market.leases.values()) {
            if (!isOpen(lease)) continue;
            const earned = earnedMicros(lease.ratePerHour, world.nowSeconds - lease.openedAt);
            expect(lease.settled <= least(lease.lock, earned)).toBe(true);
          }
          for (const [tenant, { free, locked, ratePerHour }] of world.market.tenants) {
            const open = [...world.market.leases.values()].filter(
              (lease) => lease.tenant === tenant && isOpen(lease),
            );
            expect(locked).toBe(sum(open, (lease) => lease.lock));
            expect(ratePerHour).toBe(sum(open, (lease) => lease.ratePerHour));
            expect(free >= 0n).toBe(true);
          }
        });
      }),
    );
  });

  it('changes nothing when it refuses, but the time', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const world = worldAfterPrologue();
        for (const operation of drawSequence(seed, papers)) {
          const before = structuredClone(world);
          const outcome = perform(world, operation);
          if ('effect' in outcome) continue;
          before.nowSeconds += operation.afterSeconds;
          expect(world).toEqual(before);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('ends the same whatever the order of cumulative rows is, and however often they come', () => {
    const rowsOf = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.bigInt(0n, 8_000_000n)), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(rowsOf, seeds, (drawn, seed) => {
        const rows: BatchRow[] = drawn.map(([serial, cumulative]) => ({
          serial: BigInt(serial),
          cumulative,
        }));
        const ended = [rows, shuffled(seededRandom(seed), [...rows, ...rows])].map((order) => {
          const world = worldAfterPrologue();
          const operator = world.deployment.roles.OPERATOR_ROLE.holder;
          const send = (
            operation: Omit<Extract<Operation, { contract: 'market' }>, 'contract' | 'sender'>,
          ): void => void perform(world, { contract: 'market', sender: operator, ...operation } as Operation);
          for (const serial of [1n, 2n, 3n]) {
            const args = [
              (1n << 64n) + serial,
              tenants[0]!,
              3_600_000n,
              5_000n + serial,
              `0x${'00'.repeat(32)}`,
            ] as const;
            send({ method: 'openLease', args, afterSeconds: 0n });
          }
          send({
            method: 'settleBatch',
            args: [{ groups: [{ providerId: 1n, rows: order }] }],
            afterSeconds: 6_000n,
          });
          expect(world.nowSeconds).toBe(START_SECONDS + 6_000n);
          return { leases: world.market.leases, earnings: world.market.earnings };
        });
        expect(ended[1]).toEqual(ended[0]);
      }),
    );
  });
});
