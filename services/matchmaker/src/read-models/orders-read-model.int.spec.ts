import { type EventStore, ReadModelRebuild } from '@gridbourse/event-store';
import { DomainError, type LeaseId, nextInt, type Random, seededRandom } from '@gridbourse/kernel';
import { silentLogger } from '@gridbourse/observability';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { DataSource } from 'typeorm';
import { bidIdOf } from '../../test/auctions.ts';
import {
  group,
  idOf,
  offerPublished,
  readyProvider,
  service,
  submission,
  TENANT_WALLET,
} from '../../test/builders.ts';
import { expectStatus } from '../../test/running-matchmaker.ts';
import { Stage, tenant } from '../../test/stage.ts';
import { leaseReference } from '../adapters/lease-reference.ts';
import { placeBid } from '../domain/process/bidding.ts';
import { meetDeadlines } from '../domain/process/deadlines.ts';
import { hearOfFundingFailure, hearOfOpening, hearOfSettlement } from '../domain/process/money.ts';
import { acceptLease, rejectLease } from '../domain/process/provider.ts';
import { cancelOrder, closeLease, submitOrder } from '../domain/process/tenant.ts';
import type { UnitOfWork } from '../domain/process/unit-of-work.ts';
import { hearOfExit, hearOfRunning, hearOfTermination } from '../domain/process/workload.ts';
import { BidEntity } from './bid.entity.ts';
import { LeaseEntity } from './lease.entity.ts';
import { OrderEntity } from './order.entity.ts';
import { ordersReadModel } from './orders-read-model.ts';

// Real here: Postgres, the embedded bus, the whole service, and the rebuild on connections of its own, as it runs beside
// the service.

/** Generous: other suites run beside this one. */
jest.setTimeout(60_000);
const PATIENT = { deadlineMs: 30_000 };

let stage: Stage;
let operator: DataSource;
let store: EventStore;

beforeAll(async () => {
  stage = await Stage.open();
  for (const name of ['gamma', 'delta']) {
    await stage.market(name, [...readyProvider(name), offerPublished(name, `${name}-4090`)]);
  }
  await eventually(() => expect([...stage.running.matchmaker.exchange.market.offers()]).toHaveLength(4));
  const { url } = stage.running.dataSource.options as { url: string };
  operator = await new DataSource({
    type: 'postgres',
    url,
    entities: [OrderEntity, BidEntity, LeaseEntity],
    poolSize: 2,
  }).initialize();
  store = stage.running.eventStore;
}, 60_000);
afterAll(async () => {
  await operator?.destroy();
  await stage?.close();
}, 30_000);

const rebuild = (pageSize: number): Promise<{ events: number }> =>
  new ReadModelRebuild({
    ...{ dataSource: operator, store, readModel: ordersReadModel(store), logger: silentLogger, pageSize },
  }).run();

/** The tables, every row as Postgres writes it, in the order of the bytes. */
const dump = async (): Promise<Record<string, string[]>> => {
  const lines = async (table: string): Promise<string[]> =>
    (
      await operator.query<{ line: string }[]>(
        `SELECT r::text AS line FROM ${table} AS r ORDER BY r::text COLLATE "C"`,
      )
    ).map(({ line }) => line);
  return { orders: await lines('orders'), leases: await lines('leases'), bids: await lines('bids') };
};

const decide = async <R>(work: (unit: UnitOfWork) => R): Promise<void> => {
  try {
    await stage.running.matchmaker.execute(work);
  } catch (error) {
    // Refusals are answers too: chance asks for impossible things.
    if (!(error instanceof DomainError)) throw error;
  }
};

type Act = (unit: UnitOfWork, leaseId: LeaseId, random: Random) => void;

const ON_A_LEASE: readonly Act[] = [
  (unit, leaseId) => cancelOrder(unit, tenant.accountId, unit.exchange.lease(leaseId)!.orderId),
  (unit, leaseId) => closeLease(unit, tenant.accountId, leaseId),
  (unit, leaseId) => {
    const lease = unit.exchange.lease(leaseId)!;
    hearOfOpening(unit, {
      name: 'LeaseOpened',
      leaseKey: `0x${leaseId.slice(-24)}`,
      leaseRef: leaseReference(leaseId),
      tenant: TENANT_WALLET,
      chainProviderId: lease.chainProviderId,
      rateMicrosPerHour: lease.rateMicrosPerHour,
      lockMicros: lease.lockMicros,
      openedAtSeconds: Math.floor(unit.now / 1_000),
    });
  },
  (unit, leaseId) =>
    hearOfRunning(unit, {
      ...{ type: 'WorkloadRunning', leaseId, runningSinceMs: unit.now, endpoints: [], atMs: unit.now },
    }),
  (unit, leaseId, random) =>
    hearOfExit(unit, {
      ...{
        type: 'WorkloadExited',
        leaseId,
        exitCode: nextInt(random, 2),
        finishedAtMs: unit.now,
        atMs: unit.now,
      },
    }),
  (unit, leaseId) =>
    hearOfTermination(unit, {
      ...{ type: 'WorkloadTerminated', leaseId, provenAbsentAtMs: unit.now, everCreated: true },
    }),
  (unit, leaseId) =>
    hearOfSettlement(unit, {
      ...{ type: 'LeaseSettled', leaseId, paidMicros: 1_000n, refundedMicros: 2_000n },
      ...{ txHash: `0x${'ab'.repeat(32)}`, atMs: unit.now },
    }),
  (unit, leaseId) =>
    hearOfFundingFailure(unit, {
      ...{
        type: 'LeaseFundingFailed',
        leaseId,
        cause: 'insufficient_escrow',
        detail: '',
        shortfallMicros: 1n,
      },
      atMs: unit.now,
    }),
  (unit, leaseId) => {
    const { providerId } = unit.exchange.lease(leaseId)!;
    acceptLease(unit, unit.exchange.market.provider(providerId)!.accountId, leaseId);
  },
  (unit, leaseId) => {
    const { providerId } = unit.exchange.lease(leaseId)!;
    rejectLease(unit, unit.exchange.market.provider(providerId)!.accountId, leaseId, 'busy');
  },
];

let orders = 0;
const submitAny = (random: Random): Promise<void> => {
  orders += 1;
  const groups = Array.from({ length: 1 + nextInt(random, 2) }, (_, i) =>
    group(`g${i}`, [service('s', { replicas: 1 + nextInt(random, 2) })]),
  );
  const warnings =
    nextInt(random, 2) === 0 ? [] : [{ code: 'odd', pointer: '/a', message: 'é "x"', line: 1, column: 2 }];
  const word = `order ${orders}`;
  return decide((unit) =>
    submitOrder(
      unit,
      submission(word, groups, {
        accountId: tenant.accountId,
        expiresAtMs: unit.now + 1 + nextInt(random, 600_000),
        warnings,
        ...(nextInt(random, 2) === 0 ? { biddingWindowMs: 1 + nextInt(random, 60_000) } : {}),
      }),
    ),
  );
};

const OFFERS = ['alpha-4090', 'gamma-4090', 'delta-4090'];

const bidOnAny = (random: Random): Promise<void> =>
  decide((unit) => {
    const bidding = unit.exchange.biddingOrders();
    const order = bidding[nextInt(random, bidding.length + 1)];
    if (!order) return;
    const offerId = idOf('offer', OFFERS[nextInt(random, OFFERS.length)]!);
    const { providerId } = unit.exchange.market.offer(offerId)!;
    const { accountId } = unit.exchange.market.provider(providerId)!;
    const group = order.spec.groups[nextInt(random, order.spec.groups.length)]!.name;
    const rateMicrosPerHour = BigInt(1 + nextInt(random, 500_000));
    placeBid(unit, accountId, { orderId: order.orderId, offerId, group, rateMicrosPerHour }, bidIdOf);
  });

/** Orders come, live and end as chance will have it. */
const act = async (random: Random, times: number): Promise<void> => {
  for (let n = 0; n < times; n += 1) {
    const leases = [...stage.running.matchmaker.exchange.leases()];
    const lease = leases[nextInt(random, leases.length + 1)];
    const what = ON_A_LEASE[nextInt(random, ON_A_LEASE.length)]!;
    if (nextInt(random, 10) === 0) {
      stage.clock.advance(nextInt(random, 90_000));
      await decide(meetDeadlines);
    } else if (nextInt(random, 4) === 0) await bidOnAny(random);
    else if (lease && nextInt(random, 3) > 0) await decide((unit) => what(unit, lease.leaseId, random));
    else await submitAny(random);
  }
};

describe('orders and leases, rebuilt from their events', () => {
  it.each([11, 12, 13])('are byte for byte what the writer has made of them (seed %i)', async (seed) => {
    await act(seededRandom(seed), 120);
    // The matchmaker's own clock may have more to do: its last word is spoken when two looks see the same.
    const written = await eventually(async () => {
      const before = await dump();
      await decide(meetDeadlines);
      expect(await dump()).toEqual(before);
      return before;
    }, PATIENT);
    expect(written['orders']!.length).toBeGreaterThan(20);
    expect(written['bids']!.length).toBeGreaterThan(5);
    await operator.query(`UPDATE orders SET name = 'wrong', live = NOT live`);
    await operator.query(`UPDATE leases SET state = 'wrong', paid_micros = 7`);
    await operator.query(`UPDATE bids SET state = 'wrong', rate_micros = 7`);
    expect(await dump()).not.toEqual(written);
    await rebuild(20);
    expect(await dump()).toEqual(written);
  });

  it('and are right when orders go on coming meanwhile, while the API goes on answering', async () => {
    await operator.query(`UPDATE orders SET name = 'wrong'`);
    let running = true;
    let answers = 0;
    const asking = (async (): Promise<void> => {
      while (running) {
        expectStatus(await stage.running.get(tenant, '/v1/orders'), 200);
        answers += 1;
      }
    })();
    const acting = act(seededRandom(21), 60);
    await rebuild(10);
    await acting;
    running = false;
    await asking;
    expect(answers).toBeGreaterThan(0);
    await eventually(async () => {
      const writtenAndRebuilt = await dump();
      await rebuild(500);
      expect(await dump()).toEqual(writtenAndRebuilt);
    }, PATIENT);
    expect((await dump())['orders']!.join('\n')).not.toContain('wrong');
  });

  it('serve the service when it starts anew', async () => {
    const before = [...stage.running.matchmaker.exchange.orders()].map(({ orderId }) => orderId).sort();
    await rebuild(500);
    await stage.running.restart();
    const after = [...stage.running.matchmaker.exchange.orders()].map(({ orderId }) => orderId).sort();
    expect(after).toEqual(before);
  });
});
