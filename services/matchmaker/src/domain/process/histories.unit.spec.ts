import type { GpuSharing, WorkloadEvent } from '@gridbourse/events';
import { type LeaseId, nextInt, type Random, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bidIdOf } from '../../../test/auctions.ts';
import { Bench } from '../../../test/bench.ts';
import {
  group,
  idOf,
  offerPublished,
  policies,
  readyProvider,
  refOf,
  requestFor,
  service,
  submission,
  TENANT,
} from '../../../test/builders.ts';
import { isAlive, isTerminal, type Lease } from '../lease.ts';
import { matchOrder } from '../matching.ts';
import { isBidding, isEnded, type Order } from '../order.ts';
import { placeBid } from './bidding.ts';
import { Exchange } from './exchange.ts';
import {
  hearOfEscrow,
  hearOfExhaustion,
  hearOfFundingFailure,
  hearOfRetraction,
  hearOfSettlement,
} from './money.ts';
import { acceptLease, rejectLease } from './provider.ts';
import { cancelOrder, closeLease } from './tenant.ts';
import { hearOfExit, hearOfFailure } from './workload.ts';

const PROVIDERS = ['p0', 'p1', 'p2'];

const OFFERS = [
  ...PROVIDERS.map((name) => ({ name, word: `gpu of ${name}` })),
  { name: 'p0', word: 'slots of p0' },
];
const SLOTS: GpuSharing = { mode: 'shared', slotsPerGpu: 4 };

const openMarket = (): Bench => {
  const bench = new Bench();
  for (const [i, name] of PROVIDERS.entries()) {
    bench.market(
      ...readyProvider(name),
      offerPublished(name, `gpu of ${name}`, {
        nodes: [
          { gpus: 2, cpu: 16 },
          { gpus: 1, cpu: 8 },
        ],
        autoAccept: i !== 1,
      }),
    );
  }
  bench.market(offerPublished('p0', 'slots of p0', { nodes: [{ gpus: 4 }], sharing: SLOTS, perGpu: '0.10' }));
  return bench;
};

type Act = (bench: Bench, random: Random) => void;

const pick = <T>(random: Random, all: readonly T[]): T | undefined => all[nextInt(random, all.length)];
const aLease = (bench: Bench, random: Random): Lease | undefined => pick(random, bench.leases());
/** Refusals are answers too: a random tenant asks for impossible things. */
const orRefused = (work: () => unknown): void => {
  try {
    work();
  } catch (error) {
    if ((error as Error).name !== 'DomainError') throw error;
  }
};

const workload = (bench: Bench, leaseId: LeaseId, event: WorkloadEvent['type'], random: Random): void => {
  const atMs = bench.circumstances.now;
  bench.run((unit) => {
    if (event === 'WorkloadExited') {
      hearOfExit(unit, { type: event, leaseId, exitCode: nextInt(random, 2), finishedAtMs: atMs, atMs });
    } else if (event === 'WorkloadFailed') {
      const phase = random.next() < 0.5 ? 'start' : 'run';
      hearOfFailure(unit, { type: event, leaseId, phase, cause: 'crash_loop', message: '', atMs });
    }
  });
};

const bidOnEverything: Act = (bench, random) => {
  const orders = bench.exchange.biddingOrders();
  for (const [order, { name, word }] of orders.flatMap((each) => OFFERS.map((one) => [each, one] as const))) {
    const offerId = idOf('offer', word);
    const group = pick(random, order.spec.groups)!.name;
    const rateMicrosPerHour = BigInt(nextInt(random, 1_100_000));
    orRefused(() =>
      bench.run((unit) =>
        placeBid(
          unit,
          idOf('account', `owner of ${name}`),
          { orderId: order.orderId, offerId, group, rateMicrosPerHour },
          bidIdOf,
        ),
      ),
    );
  }
};

const ACTS: readonly Act[] = [
  (bench, random) => {
    const divisible = random.next() < 0.4;
    const groups = Array.from({ length: 1 + nextInt(random, divisible ? 2 : 3) }, (_, i) =>
      group(
        `g${i}`,
        [
          service('s', {
            replicas: 1 + nextInt(random, divisible ? 6 : 2),
            sharing: random.next() < 0.35 ? { mode: 'shared', milli: 250 } : { mode: 'whole' },
          }),
        ],
        { maxProviders: divisible ? 2 + nextInt(random, 2) : 1 },
      ),
    );
    orRefused(() =>
      bench.submit(
        submission(`at ${bench.log.length}`, groups, {
          accountId: pick(random, [TENANT, idOf('account', 'another')])!,
          expiresAtMs: bench.circumstances.now + 1 + nextInt(random, 600_000),
          run: pick(random, ['job', 'service'] as const)!,
          ...(!divisible && random.next() < 0.8 ? { biddingWindowMs: 1 + nextInt(random, 60_000) } : {}),
        }),
      ),
    );
    bidOnEverything(bench, random);
  },
  bidOnEverything,
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease) orRefused(() => bench.run((unit) => cancelOrder(unit, lease.accountId, lease.orderId)));
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease) orRefused(() => bench.run((unit) => closeLease(unit, lease.accountId, lease.leaseId)));
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease) bench.fund(lease.leaseId);
  },
  (bench) => {
    for (const lease of bench.leases()) if (lease.state === 'accepted') bench.fund(lease.leaseId);
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease) bench.start(lease.leaseId);
  },
  (bench) => {
    for (const lease of bench.leases()) bench.start(lease.leaseId);
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease) workload(bench, lease.leaseId, 'WorkloadExited', random);
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease) workload(bench, lease.leaseId, 'WorkloadFailed', random);
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease) bench.terminate(lease.leaseId);
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease) settle(bench, lease.leaseId);
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (!lease) return;
    bench.run((unit) =>
      hearOfFundingFailure(unit, {
        type: 'LeaseFundingFailed',
        leaseId: lease.leaseId,
        cause: pick(random, ['insufficient_escrow', 'spending_limit', 'chain_unavailable'] as const)!,
        detail: '',
        shortfallMicros: 1n,
        atMs: bench.circumstances.now,
      }),
    );
  },
  (bench, random) => {
    const freeMicros = BigInt(nextInt(random, 5_000_000));
    bench.run((unit) =>
      hearOfEscrow(unit, {
        type: 'EscrowChanged',
        accountId: TENANT,
        depositedMicros: freeMicros,
        freeMicros,
        lockedMicros: 0n,
        spentMicros: 0n,
        withdrawnMicros: 0n,
        atMs: bench.circumstances.now - nextInt(random, 100),
      }),
    );
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (!lease) return;
    const atMs = bench.circumstances.now;
    bench.run((unit) =>
      hearOfExhaustion(unit, { type: 'EscrowExhausted', leaseId: lease.leaseId, zeroTimeAtMs: atMs, atMs }),
    );
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease?.chainLeaseKey == null) return;
    const log = { ...bench.opening(lease.leaseId), leaseKey: lease.chainLeaseKey };
    bench.run((unit) => hearOfRetraction(unit, log));
  },
  (bench, random) => {
    const providerId = idOf('provider', pick(random, PROVIDERS)!);
    const atMs = bench.circumstances.now;
    const type = pick(random, [
      'ProviderOffline',
      'ProviderUnreachable',
      'ProviderOnline',
      'ProviderOnline',
    ] as const)!;
    bench.market({ type, providerId, lastSeenAtMs: atMs, atMs });
  },
  (bench, random) => {
    const name = pick(random, PROVIDERS)!;
    const offerId = idOf('offer', `gpu of ${name}`);
    const known = bench.exchange.market.offer(offerId)!;
    const next = offerPublished(name, `gpu of ${name}`, {
      revision: known.revision + 1,
      autoAccept: random.next() < 0.7,
    });
    bench.market({ ...next, nodes: [...known.nodes] });
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (!lease) return;
    const owner = bench.exchange.market.provider(lease.providerId)!.accountId;
    const accepts = random.next() < 0.6;
    orRefused(() =>
      bench.run((unit) =>
        accepts ? acceptLease(unit, owner, lease.leaseId) : rejectLease(unit, owner, lease.leaseId, 'busy'),
      ),
    );
  },
  (bench, random) => void bench.pass(nextInt(random, policies.fundWithinMs * 2)),
  (bench) => bench.rematch(),
];

const settle = (bench: Bench, leaseId: LeaseId): void =>
  bench.run((unit) =>
    hearOfSettlement(unit, {
      type: 'LeaseSettled',
      leaseId,
      paidMicros: 1n,
      refundedMicros: 1n,
      txHash: `0x${'0'.repeat(64)}`,
      atMs: bench.circumstances.now,
    }),
  );

const checkCapacity = (exchange: Exchange): void => {
  for (const offer of exchange.market.offers()) {
    const { declared, held, committed, free } = exchange.book.usage(offer);
    for (const dimension of ['gpus', 'cpuMillis', 'memoryMiB', 'storageMiB'] as const) {
      expect(held[dimension] + committed[dimension] + free[dimension]).toBe(declared[dimension]);
    }
  }
};

/** The leases of one match have every replica of every group, each once, whoever has them; and parts are in one region. */
const checkWhole = (bench: Bench, order: Order, leases: readonly Lease[]): void => {
  const numbers = (groupName: string, name: string): number[] =>
    leases
      .filter((lease) => lease.group.name === groupName)
      .flatMap(({ group: { services }, part, placements }) => {
        const replicas = services.find((one) => one.name === name)?.replicas ?? 0;
        expect(placements.filter((placement) => placement.service === name)).toHaveLength(replicas);
        const first = part?.services.find((one) => one.service === name)?.firstReplica ?? 0;
        return Array.from({ length: replicas }, (_, i) => first + i);
      });
  for (const { name, services, maxProviders } of order.spec.groups) {
    const own = leases.filter((lease) => lease.group.name === name);
    expect(own.length).toBeLessThanOrEqual(maxProviders);
    const regions = own.map((lease) => bench.exchange.market.provider(lease.providerId)!.place.region);
    expect(new Set(regions).size).toBe(1);
    for (const one of services) {
      expect(numbers(name, one.name)).toEqual(Array.from({ length: one.replicas }, (_, i) => i));
    }
  }
};

const checkGangs = (bench: Bench, from: number): void => {
  const proposed = new Set<string>();
  const matched = new Set<string>();
  for (const { event } of bench.log.slice(from)) {
    if (event.type === 'LeaseProposed') proposed.add(event.leaseId);
    if (event.type !== 'OrderMatched') continue;
    for (const { leaseId } of event.leases) matched.add(leaseId);
    const leases = event.leases.map(({ leaseId }) => bench.lease(leaseId));
    checkWhole(bench, bench.order(event.orderId), leases);
  }
  expect(matched).toEqual(proposed);
  for (const order of bench.exchange.orders()) {
    const match = order.leaseIds.map((id) => bench.exchange.lease(id)!);
    const dead = match.filter((lease) => !isAlive(lease) && lease.endReason !== 'completed');
    if (dead.length > 0) expect(match.some(isAlive)).toBe(false);
    if (order.state === 'matched') expect(dead).toEqual([]);
  }
};

/** What is counted along is what one finds by looking at everything. */
const checkBurdens = ({ exchange }: Bench): void => {
  const accounts = new Set([...exchange.orders()].map(({ accountId }) => accountId));
  for (const accountId of [...accounts, TENANT]) {
    const orders = exchange.ordersOf(accountId);
    const leases = orders.flatMap(({ orderId }) => exchange.leasesOf(orderId));
    const promised = leases.filter(({ state }) => state === 'proposed' || state === 'accepted');
    expect(exchange.burdenOf(accountId)).toEqual({
      openOrders: orders.filter(({ state }) => !isEnded(state)).length,
      aliveLeases: leases.filter(isAlive).length,
      pendingLockMicros: promised.reduce((sum, { lockMicros }) => sum + lockMicros, 0n),
    });
  }
};

const checkHolds = (bench: Bench): void => {
  const { now } = bench.circumstances;
  for (const lease of bench.exchange.leases()) {
    if (lease.state === 'proposed') expect(lease.acceptByMs).toBeGreaterThanOrEqual(now);
    if (lease.state === 'accepted') expect(lease.fundByMs).toBeGreaterThanOrEqual(now);
    if (!isAlive(lease)) expect(lease.endReason).not.toBeNull();
  }
};

/** Of each group one bid at most has won, its lease is the group's own, and at its price. */
const checkWinners = (bench: Bench): void => {
  for (const order of bench.exchange.orders()) {
    const won = (order.auction?.bids ?? []).filter(({ holds }) => holds);
    expect(new Set(won.map(({ group }) => group)).size).toBe(won.length);
    for (const one of won) {
      expect(order.leaseIds).toContain(one.leaseId);
      expect(bench.exchange.lease(one.leaseId!)!.rateMicrosPerHour).toBe(one.rateMicrosPerHour);
    }
    const living = bench.exchange.leasesOf(order.orderId).filter(isAlive);
    const places = living.map(({ group, part }) => `${group.name}/${part?.number ?? 'whole'}`);
    expect(new Set(places).size).toBe(living.length);
    if (isBidding(order)) expect(living).toEqual([]);
  }
};

const checkTerminals = (bench: Bench): void => {
  const ended = new Set<string>();
  for (const { event, leaseId, orderId } of bench.log) {
    const id = leaseId ?? orderId;
    if (ended.has(id)) expect(event.type).toBe('CapacityReleased');
    if (
      [
        'LeaseClosed',
        'LeaseLapsed',
        'LeaseRejected',
        'OrderFulfilled',
        'OrderCancelled',
        'OrderExpired',
      ].includes(event.type)
    )
      ended.add(id);
  }
  const released = bench.log
    .filter(({ event }) => event.type === 'CapacityReleased')
    .map(({ leaseId }) => leaseId);
  expect(new Set(released).size).toBe(released.length);
};

/** What a restart finds: the registry's words, and the orders and leases that the stored events tell of. */
const rebuilt = (bench: Bench): Exchange => {
  const exchange = new Exchange(refOf);
  for (const { event, sequence } of bench.registryLog) exchange.market.apply(event, sequence);
  const ids = new Set(bench.log.map(({ orderId }) => orderId));
  for (const id of ids) exchange.putOrder(bench.order(id));
  for (const lease of bench.leases()) exchange.putLease(lease);
  for (const id of ids) exchange.retire(id);
  return exchange;
};

const facts = (exchange: Exchange) => ({
  orders: new Map([...exchange.orders()].map((order) => [order.orderId, order])),
  leases: new Map([...exchange.leases()].map((lease) => [lease.leaseId, lease])),
  waiting: exchange
    .waitingOrders()
    .map((order) => order.orderId)
    .sort(),
  bidding: exchange
    .biddingOrders()
    .map((order) => order.orderId)
    .sort(),
  usage: [...exchange.market.offers()].map((offer) => exchange.book.usage(offer)),
  providers: [...exchange.market.providers()],
  selling: PROVIDERS.map((name) => exchange.sellingOf(idOf('account', `owner of ${name}`))),
});

/** A sealed bid won this lease. */
const isBidOf = (bench: Bench, { orderId, leaseId }: Lease): boolean =>
  bench.order(orderId).auction?.bids.some((bid) => bid.leaseId === leaseId) ?? false;

const endEverything = (bench: Bench): void => {
  bench.circumstances.now += 10_000_000;
  bench.pass(0);
  for (const order of [...bench.exchange.orders()]) {
    orRefused(() => bench.run((unit) => cancelOrder(unit, order.accountId, order.orderId)));
  }
  for (const lease of bench.leases()) {
    settle(bench, lease.leaseId);
    bench.terminate(lease.leaseId);
  }
};

/** Of what every lease says it has, by machine: no sum of the book's own is used. */
const checkNoMachineIsOversold = (exchange: Exchange): void => {
  const taken = new Map<string, number>();
  for (const lease of exchange.leases()) {
    if (lease.capacityReleased) continue;
    for (const { service: name, node } of lease.placements) {
      const { resources } = lease.group.services.find((one) => one.name === name)!;
      const key = `${lease.offerId}/${node}`;
      taken.set(key, (taken.get(key) ?? 0) + (resources.gpu?.count ?? 0));
    }
  }
  for (const offer of exchange.market.offers()) {
    for (const node of offer.nodes) {
      expect(taken.get(`${offer.offerId}/${node.name}`) ?? 0).toBeLessThanOrEqual(node.gpus);
    }
  }
};

/** Whole GPUs and slots each go to who asked for them. @returns leases of slots */
const checkSharing = (bench: Bench): number => {
  const leases = bench.leases();
  for (const { gpu, group: asked } of leases) {
    for (const { resources } of asked.services) {
      expect(gpu?.sharing.mode).toBe(resources.gpu?.sharing.mode);
    }
  }
  return leases.filter(({ gpu }) => gpu?.sharing.mode === 'shared').length;
};

/** As they are stored: equal bytes, not only equal meaning. */
const bytes = (exchange: Exchange): string =>
  JSON.stringify(
    {
      orders: [...exchange.orders()].sort((a, b) => (a.orderId < b.orderId ? -1 : 1)),
      leases: [...exchange.leases()].sort((a, b) => (a.leaseId < b.leaseId ? -1 : 1)),
      free: [...exchange.market.offers()].map((offer) => exchange.book.free(offer)),
      providers: [...exchange.market.providers()],
    },
    (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value),
  );

describe('random histories', () => {
  it('keep every invariant at every step, rebuild to the same state, and end with nothing held', () => {
    let proposals = 0;
    let [won, parts, ofSlots] = [0, 0, 0];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        const bench = openMarket();
        for (let step = 0; step < 60; step += 1) {
          const mark = bench.log.length;
          pick(random, ACTS)!(bench, random);
          bench.run(() => undefined);
          checkCapacity(bench.exchange);
          checkNoMachineIsOversold(bench.exchange);
          checkGangs(bench, mark);
          bench.pass(0);
          checkHolds(bench);
          checkBurdens(bench);
          checkWinners(bench);
        }
        checkTerminals(bench);
        ofSlots += checkSharing(bench);
        expect(facts(rebuilt(bench))).toEqual(facts(bench.exchange));
        expect(bytes(rebuilt(bench))).toBe(bytes(bench.exchange));
        won += bench.leases().filter((lease) => isBidOf(bench, lease)).length;
        parts += bench.leases().filter(({ part }) => part !== null).length;
        proposals += bench.story().filter((type) => type === 'LeaseProposed').length;
        endEverything(bench);
        expect([...bench.exchange.orders()].filter((order) => !isEnded(order.state))).toEqual([]);
        expect([...bench.exchange.leases()]).toEqual([]);
        for (const lease of bench.leases()) {
          expect(isTerminal(lease.state)).toBe(true);
          expect(lease.capacityReleased).toBe(true);
        }
        for (const offer of bench.exchange.market.offers()) {
          expect(bench.exchange.book.takingsOf(offer.offerId)).toEqual([]);
        }
      }),
      { numRuns: 80 },
    );
    expect(ofSlots).toBeGreaterThan(5);
    expect(proposals).toBeGreaterThan(100);
    expect(won).toBeGreaterThan(20);
    expect(parts).toBeGreaterThan(20);
  });

  it('that fail half-way leave no trace', () => {
    const bench = openMarket();
    bench.submit(submission('kept', [group('g', [service('s')])]));
    const before = facts(bench.exchange);
    const sabotage = (): void => {
      bench.run((unit) => {
        cancelOrder(unit, TENANT, idOf('order', 'kept'));
        throw new Error('sabotage');
      });
    };
    expect(sabotage).toThrow('sabotage');
    checkBurdens(bench);
    expect(facts(bench.exchange)).toEqual(before);
  });

  it('decide alike after a restart: the next order finds the same place', () => {
    let placed = 0;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const random = seededRandom(seed);
        const bench = openMarket();
        for (let step = 0; step < 30; step += 1) pick(random, ACTS)!(bench, random);
        const again = rebuilt(bench);
        const request = requestFor([group('g', [service('s')])], { orderId: idOf('order', `${seed}`) });
        const found = matchOrder(request, bench.exchange.view);
        expect(matchOrder(request, again.view)).toEqual(found);
        if (found) placed += 1;
        for (const { leaseId } of random.next() < 0.5 ? again.leases() : [...again.leases()].reverse()) {
          expect(again.leaseByReference(refOf(leaseId))?.leaseId).toBe(leaseId);
        }
        expect(again.leaseByReference('of nobody')).toBeUndefined();
      }),
      { numRuns: 40 },
    );
    expect(placed).toBeGreaterThan(5);
  });

  it('end alike in whatever order independent words of the registry arrive', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const histories = Array.from({ length: 6 }, (_, i) => [
          ...readyProvider(`p${i}`, { tier: 1 + (i % 7) }),
          offerPublished(`p${i}`, `offer of p${i}`, { nodes: [{ gpus: 1 + (i % 3) }], perGpu: '0.40' }),
        ]);
        const outcomeOf = (random: Random | null): unknown => {
          const left = histories.map((words) => [...words]);
          const bench = new Bench();
          for (;;) {
            const some = left.filter((words) => words.length > 0);
            if (some.length === 0) break;
            // Words of one provider keep their order; providers are independent of each other.
            bench.market((random ? pick(random, some)! : some[0]!).shift()!);
          }
          const orders = Array.from({ length: 5 }, (_, i) =>
            bench.submit(submission(`order ${i}`, [group('g', [service('s')])])),
          );
          return orders.map(({ orderId }) =>
            bench.exchange.leasesOf(orderId).map(({ offerId, placements }) => ({ offerId, placements })),
          );
        };
        expect(outcomeOf(seededRandom(seed))).toEqual(outcomeOf(null));
      }),
      { numRuns: 25 },
    );
  });
});
