import { DomainError, type LeaseId, nextInt, type Random, seededRandom } from '@gridbourse/kernel';
import type { ProviderEvent } from '@gridbourse/events';
import { eventually, spoilAndRebuild, tableRows } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { bidIdOf } from '../../test/auctions.ts';
import { group, idOf, offerPublished, readyProvider, service, submission } from '../../test/builders.ts';
import { person } from '../../test/running-matchmaker.ts';
import { Stage, tenant } from '../../test/stage.ts';
import { placeBid } from '../domain/process/bidding.ts';
import { meetDeadlines } from '../domain/process/deadlines.ts';
import { closeLease, submitOrder } from '../domain/process/tenant.ts';
import type { UnitOfWork } from '../domain/process/unit-of-work.ts';

// Real here: Postgres, the embedded bus, the whole service and its rebuilds. The other services are played.

/** Generous: other suites run beside this one. */
jest.setTimeout(120_000);

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
}, 60_000);
afterAll(() => stage?.close(), 30_000);

const decide = async (work: (unit: UnitOfWork) => unknown): Promise<void> => {
  try {
    await stage.running.matchmaker.execute(work);
  } catch (error) {
    // Refusals are answers too: chance asks for impossible things.
    if (!(error instanceof DomainError)) throw error;
  }
};

const registered = new Set<string>();
const revisions = new Map<string, number>();

const sayOfProvider = async (random: Random): Promise<void> => {
  const word = ['gamma', 'delta', 'epsilon'][nextInt(random, 3)]!;
  const providerId = idOf('provider', word);
  if (!registered.has(word)) {
    registered.add(word);
    return stage.market(word, readyProvider(word));
  }
  const atMs = stage.clock.now();
  const offer = `${word}-${nextInt(random, 2)}`;
  const published = (): ProviderEvent => {
    const revision = Math.max(1, (revisions.get(offer) ?? 0) + nextInt(random, 3) - 1);
    revisions.set(offer, revision);
    return offerPublished(word, offer, { nodes: [{ gpus: 1 + nextInt(random, 8) }], revision });
  };
  const words: readonly (() => ProviderEvent)[] = [
    published,
    published,
    () => ({ type: 'OfferWithdrawn', providerId, offerId: idOf('offer', offer), reason: 'enough', atMs }),
    () => ({ type: 'ProviderOnline', providerId, atMs }),
    () => ({ type: 'ProviderUnreachable', providerId, lastSeenAtMs: atMs, atMs }),
    () => ({ type: 'ProviderOffline', providerId, lastSeenAtMs: atMs, atMs }),
    () => ({ type: 'ProviderSuspended', providerId, reason: 'looked at', atMs }),
    () => ({ type: 'ProviderReinstated', providerId, atMs }),
    () => ({ type: 'TierChanged', providerId, from: 7, to: 1 + nextInt(random, 7), atMs }),
    () => ({
      ...{ type: 'EraClosed', providerId, era: 1, challengesSent: 100, responseP95Ms: null },
      ...{ challengesAnswered: nextInt(random, 100), closedAtMs: atMs },
    }),
  ];
  return stage.market(word, [words[nextInt(random, words.length)]!()]);
};

const sayOfMoney = (random: Random): Promise<void> => {
  const owner = person(`saver ${nextInt(random, 3)}`);
  const freeMicros = BigInt(nextInt(random, 2 ** 30));
  // Words of the past come too: they change nothing.
  const atMs = stage.clock.now() - nextInt(random, 3);
  return stage.running.say(owner.accountId, {
    type: 'EscrowChanged',
    ...{ accountId: owner.accountId, freeMicros, depositedMicros: freeMicros },
    ...{ lockedMicros: 0n, spentMicros: 0n, withdrawnMicros: 0n, atMs },
  });
};

const sayOfLease = async (leaseId: LeaseId, random: Random): Promise<void> => {
  const atMs = stage.clock.now();
  const txHash = `0x${'ab'.repeat(32)}`;
  const words: readonly (() => Promise<void>)[] = [
    () =>
      stage.workload(leaseId, {
        ...{ type: 'WorkloadRequested', providerId: idOf('provider', 'alpha'), namespace: 'gb-x' },
      }),
    () => stage.workload(leaseId, { type: 'WorkloadProvisioning', objects: 1 + nextInt(random, 9) }),
    () => stage.workload(leaseId, { type: 'WorkloadRunning', runningSinceMs: atMs, endpoints: [] }),
    () => stage.workload(leaseId, { type: 'WorkloadUnknown', lastSeenAtMs: atMs }),
    () => stage.workload(leaseId, { type: 'MeterClosed', totalSeconds: nextInt(random, 99) }),
    () =>
      stage.running.say(leaseId, {
        ...{ type: 'EscrowLow', leaseId, secondsLeft: 60, zeroTimeAtMs: atMs, atMs },
      }),
    () =>
      stage.running.say(leaseId, {
        ...{ type: 'LeaseFundingFailed', leaseId, cause: 'insufficient_escrow', detail: 'é "x"' },
        ...{ shortfallMicros: 1n, atMs },
      }),
    () =>
      stage.running.say(leaseId, {
        ...{ type: 'LeaseTermChanged', leaseId, durationSeconds: 60 * (1 + nextInt(random, 99)) },
        ...{ lockMicros: BigInt(nextInt(random, 2 ** 30)), atMs },
      }),
    () =>
      stage.running.say(leaseId, {
        ...{ type: 'LeaseSettled', leaseId, paidMicros: 1_000n, refundedMicros: 2_000n, txHash, atMs },
      }),
  ];
  await words[nextInt(random, words.length)]!();
};

/** By the provider of any offer, for any order that takes bids now. */
const bidOnAny = (random: Random): Promise<void> =>
  decide((unit) => {
    const bidding = unit.exchange.biddingOrders();
    const offers = [...unit.exchange.market.offers()];
    const order = bidding[nextInt(random, Math.max(1, bidding.length))];
    const { offerId, providerId } = offers[nextInt(random, offers.length)]!;
    const accountId = unit.exchange.market.provider(providerId)?.accountId;
    if (!order || !accountId) return;
    const rateMicrosPerHour = BigInt(1 + nextInt(random, 500_000));
    placeBid(unit, accountId, { orderId: order.orderId, offerId, group: 'g', rateMicrosPerHour }, bidIdOf);
  });

let orders = 0;
const act = async (random: Random, times: number): Promise<void> => {
  for (let n = 0; n < times; n += 1) {
    stage.clock.advance(nextInt(random, 4_000));
    const leases = [...stage.running.matchmaker.exchange.leases()];
    const lease = leases[nextInt(random, Math.max(1, leases.length))];
    const what = nextInt(random, 13);
    if (what < 3) await sayOfProvider(random);
    else if (what < 5) await sayOfMoney(random);
    else if (what < 8 && lease) await sayOfLease(lease.leaseId, random);
    else if (what > 9) for (let bid = 0; bid < 5; bid += 1) await bidOnAny(random);
    else if (what < 9 && lease) {
      await decide((unit) => closeLease(unit, tenant.accountId, lease.leaseId));
    } else {
      orders += 1;
      const word = `order ${orders}`;
      await decide((unit) =>
        submitOrder(
          unit,
          submission(word, [group('g', [service('s', { replicas: 1 + nextInt(random, 2) })])], {
            accountId: tenant.accountId,
            expiresAtMs: unit.now + 60_000 + nextInt(random, 600_000),
            ...(nextInt(random, 2) === 0 ? { biddingWindowMs: 1 + nextInt(random, 60_000) } : {}),
          }),
        ),
      );
    }
  }
};

const MODELS = [
  { name: 'accounts', spoil: [`UPDATE accounts SET name = 'wrong'`, 'DELETE FROM api_keys'] },
  {
    name: 'market',
    spoil: [
      `UPDATE providers SET tier = 99, presence = 'wrong', eras_closed = 99`,
      'UPDATE offers SET withdrawn = NOT withdrawn',
    ],
  },
  { name: 'escrow', spoil: ['UPDATE escrow_balances SET free_micros = 7'] },
  {
    name: 'orders',
    spoil: [`UPDATE orders SET name = 'wrong'`, `UPDATE leases SET state = 'wrong'`, 'DELETE FROM bids'],
  },
  {
    name: 'timeline',
    spoil: [`DELETE FROM timeline WHERE id % 2 = 0`, `UPDATE timeline SET text = 'wrong'`],
  },
];

/** Everything that was said has been heard, and the matchmaker's own clock has nothing more to do. */
const quiet = async (): Promise<void> => {
  await stage.running.allHeard();
  await eventually(
    async () => {
      const before = await tableRows(stage.running.dataSource, ['orders', 'leases']);
      await decide(meetDeadlines);
      expect(await tableRows(stage.running.dataSource, ['orders', 'leases'])).toEqual(before);
    },
    { deadlineMs: 60_000 },
  );
};

const expectSame = async (model: (typeof MODELS)[number]): Promise<void> => {
  const { dataSource, readModels } = stage.running;
  const { before, after } = await spoilAndRebuild(dataSource, readModels, model);
  for (const rows of Object.values(before)) expect(rows.length).toBeGreaterThan(1);
  expect({ name: model.name, ...after }).toEqual({ name: model.name, ...before });
};

describe('read models that other services feed', () => {
  it('cover every table of the matchmaker that follows from events', async () => {
    expect((await stage.running.readModels.list()).map(({ name }) => name).sort()).toEqual(
      MODELS.map(({ name }) => name).sort(),
    );
  });

  it.each([31, 32])('are byte for byte the same when they are made anew (seed %i)', async (seed) => {
    await act(seededRandom(seed), 150);
    await quiet();
    for (const model of MODELS) await expectSame(model);
  });

  it('and lose nothing of what comes meanwhile', async () => {
    let acting = true;
    const actor = (async (): Promise<void> => {
      const random = seededRandom(41);
      while (acting) await act(random, 5);
    })();
    for (const name of ['market', 'timeline', 'escrow', 'accounts']) {
      await stage.running.readModels.start(name);
      await eventually(async () => expect((await stage.running.readModels.find(name)).running).toBe(false), {
        deadlineMs: 60_000,
      });
      expect(await stage.running.readModels.find(name)).toMatchObject({ failure: null, progress: null });
    }
    acting = false;
    await actor;
    await quiet();
    for (const model of MODELS) await expectSame(model);
  });

  it('serve the service when it starts anew, and its timeline goes on behind what is there', async () => {
    await quiet();
    const market = await tableRows(stage.running.dataSource, ['providers', 'offers', 'escrow_balances']);
    const [last] = await stage.running.dataSource.query<{ id: string }[]>(
      'SELECT max(id) AS id FROM timeline',
    );
    await stage.running.restart();
    await act(seededRandom(51), 40);
    await quiet();
    expect(await tableRows(stage.running.dataSource, Object.keys(market))).not.toEqual(market);
    const added = await stage.running.dataSource.query<unknown[]>('SELECT FROM timeline WHERE id > $1', [
      last!.id,
    ]);
    expect(added.length).toBeGreaterThan(0);
    for (const model of MODELS) await expectSame(model);
  });
});
