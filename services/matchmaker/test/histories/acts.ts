import type { OfferNode } from '@gridbourse/events';
import { nextInt, type Random } from '@gridbourse/kernel';
import type { Lease } from '../../src/domain/lease.ts';
import type { Offer } from '../../src/domain/market.ts';
import { placeBid } from '../../src/domain/process/bidding.ts';
import { hearOfEscrow, hearOfExhaustion, hearOfRetraction } from '../../src/domain/process/money.ts';
import { acceptLease, rejectLease } from '../../src/domain/process/provider.ts';
import { cancelOrder, closeLease } from '../../src/domain/process/tenant.ts';
import { bidIdOf } from '../auctions.ts';
import type { Bench } from '../bench.ts';
import { group, idOf, offerPublished, policies, service, submission, TENANT } from '../builders.ts';
import { OFFERS, PROVIDERS, SLOTS_PER_GPU } from './market.ts';

/** Something that may happen at any time. */
export type Act = (bench: Bench, random: Random) => void;

export const pick = <T>(random: Random, all: readonly T[]): T | undefined => all[nextInt(random, all.length)];
const aLease = (bench: Bench, random: Random): Lease | undefined => pick(random, bench.leases());
/** Refusals are answers too: a random tenant asks for impossible things. */
const orRefused = (work: () => unknown): void => {
  try {
    work();
  } catch (error) {
    if ((error as Error).name !== 'DomainError') throw error;
  }
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

/** A machine of `p0` is sold whole instead of in slots from now on, or the other way; the leases on it go on. */
const moveAMachine: Act = (bench) => {
  const { market } = bench.exchange;
  const [whole, slots] = ['gpu of p0', 'slots of p0'].map((word) => market.offer(idOf('offer', word))!) as [
    Offer,
    Offer,
  ];
  const isMoving = ({ name }: OfferNode): boolean => name === 'node-2';
  const [from, to, factor] = whole.nodes.some(isMoving)
    ? [whole, slots, SLOTS_PER_GPU]
    : [slots, whole, 1 / SLOTS_PER_GPU];
  const moving = from.nodes.find(isMoving)!;
  const publish = (offer: Offer, nodes: OfferNode[]): void => {
    const word = offer === whole ? 'gpu of p0' : 'slots of p0';
    const { gpu, price, policy } = offer;
    const next = offerPublished('p0', word, { revision: offer.revision + 1 });
    bench.market({ ...next, gpu, price, policy, nodes });
  };
  publish(
    from,
    from.nodes.filter((node) => node !== moving),
  );
  publish(to, [...to.nodes, { ...moving, gpus: moving.gpus * factor }]);
};

/** All that tenants, providers, clusters, the chain and the clock may do. */
export const ACTS: readonly Act[] = [
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
    if (lease) bench.exit(lease.leaseId, nextInt(random, 2));
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease) bench.fail(lease.leaseId, random.next() < 0.5 ? 'start' : 'run');
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease) bench.terminate(lease.leaseId);
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (lease) bench.settle(lease.leaseId);
  },
  (bench, random) => {
    const lease = aLease(bench, random);
    if (!lease) return;
    const causes = ['insufficient_escrow', 'spending_limit', 'chain_unavailable'] as const;
    bench.refuseFunding(lease.leaseId, { cause: pick(random, causes)! });
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
  moveAMachine,
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

/** Much later, everybody gives up what they have, and the clusters and the chain say so. */
export const endEverything = (bench: Bench): void => {
  bench.circumstances.now += 10_000_000;
  bench.pass(0);
  for (const order of [...bench.exchange.orders()]) {
    orRefused(() => bench.run((unit) => cancelOrder(unit, order.accountId, order.orderId)));
  }
  for (const lease of bench.leases()) {
    bench.settle(lease.leaseId);
    bench.terminate(lease.leaseId);
  }
};
