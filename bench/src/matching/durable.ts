import { startService } from '@gridbourse/api';
import { EmbeddedBus } from '@gridbourse/event-bus';
import { EventStore } from '@gridbourse/event-store';
import type { OfferPublished, ProviderEvent } from '@gridbourse/events';
import { freePort } from '@gridbourse/infra';
import { type AccountId, newId, nextInt, type Random, seededRandom, systemClock } from '@gridbourse/kernel';
import { matchmakerService } from '@gridbourse/matchmaker';
import {
  hearOfProvider,
  loadExchange,
  Matchmaker,
  saveMarketChange,
  submitOrder,
} from '@gridbourse/matchmaker/writer';
import { silentLogger } from '@gridbourse/observability';
import { generateSealingKey } from '@gridbourse/sealing';
import { DataSource } from 'typeorm';
import type { BenchmarkContext } from '../frame/benchmark.ts';
import { startPostgres } from '../frame/postgres.ts';
import { perSecond, percentile, rounded, timed } from '../frame/statistics.ts';
import { bareInserts } from './bare.ts';
import { serviceOf, specOf } from './orders.ts';

const REGIONS = ['us-east', 'us-west', 'eu-west', 'eu-central', 'ap-northeast'];
const MODELS = ['rtx4090', 'h100', 'a100', 'l40s'] as const;
const ACCOUNTS = 2_000;

const UNPUBLISHED = `
  FROM events WHERE sequence IS NOT NULL
    AND (tx, position) > ((SELECT tx FROM outbox_checkpoint), (SELECT position FROM outbox_checkpoint))`;

const DRAIN_WITHIN_MS = 600_000;

const lagOf = async (database: DataSource): Promise<number> =>
  (await database.query<{ events: number }[]>(`SELECT count(*)::int AS events ${UNPUBLISHED}`))[0]!.events;

/**
 * Waits until the relay has published everything, so that what it costs is part of what an order costs.
 * @throws Error when it has not after ten minutes
 */
const drained = async (database: DataSource): Promise<void> => {
  const until = performance.now() + DRAIN_WITHIN_MS;
  while ((await database.query<unknown[]>(`SELECT ${UNPUBLISHED} LIMIT 1`)).length > 0) {
    if (performance.now() > until) throw new Error('the relay has not published everything in ten minutes');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
};

/** The words of the registry that put a provider with one offer on the market: one to four machines of eight GPUs. */
const wordsOf = (random: Random, now: number): ProviderEvent[] => {
  const providerId = newId('provider', now, random);
  const published: OfferPublished = {
    type: 'OfferPublished',
    providerId,
    offerId: newId('offer', now, random),
    revision: 1,
    gpu: {
      model: MODELS[nextInt(random, MODELS.length)]!,
      vendor: 'nvidia',
      vramMiB: 81_920,
      interface: 'pcie',
      sharing: { mode: 'whole' },
    },
    nodes: Array.from({ length: 1 + nextInt(random, 4) }, (_, at) => ({
      name: `node-${at}`,
      gpus: 8,
      cpuMillis: 128_000,
      memoryMiB: 1_048_576,
      storageMiB: 8_388_608,
    })),
    price: {
      perGpu: BigInt(400_000 + nextInt(random, 400_000)),
      perCpuCore: 1_000n,
      perMemoryGiB: 139n,
      perStorageGiB: 14n,
    },
    policy: { autoAccept: true, minDurationSeconds: 0, maxDurationSeconds: 2_592_000 },
    storageClasses: ['default'],
    interconnect: 'ethernet',
    publishedAtMs: now,
  };
  return [
    {
      type: 'ProviderRegistered',
      providerId,
      accountId: newId('account', now, random),
      wallet: `0x${'0'.repeat(40)}`,
      name: 'provider',
      place: {
        region: REGIONS[nextInt(random, REGIONS.length)]!,
        country: '',
        city: '',
        location: { latitude: nextInt(random, 60), longitude: nextInt(random, 120) },
      },
      attributes: {},
      registeredAtMs: now,
    },
    {
      type: 'ProviderActivated',
      providerId,
      chainProviderId: 1 + nextInt(random, 1_000_000),
      stakeMicros: 1_000_000_000n,
      activatedAtMs: now,
    },
    { type: 'TierChanged', providerId, from: 4, to: 1 + nextInt(random, 5), atMs: now },
    { type: 'ProviderOnline', providerId, atMs: now },
    published,
  ];
};

const openMarket = (matchmaker: Matchmaker, random: Random, providers: number): Promise<unknown> =>
  Promise.all(
    Array.from({ length: providers }, () => {
      const words = wordsOf(random, systemClock.now());
      return matchmaker.execute(
        (unit) => words.map((word, at) => hearOfProvider(unit, word, at + 1)).at(-1)!,
        { alsoWrite: (manager, change) => saveMarketChange(manager, change) },
      );
    }),
  );

const submit = (matchmaker: Matchmaker, random: Random, accountId: AccountId): Promise<string> => {
  const gpu = {
    count: 1,
    vendor: 'nvidia' as const,
    sharing: { mode: 'whole' as const },
    models: [
      { model: MODELS[nextInt(random, MODELS.length)]!, vramMiB: null, interface: null, migProfile: null },
    ],
  };
  const spec = specOf([serviceOf(gpu, 1, '2')], {
    regions: random.next() < 0.5 ? [] : [REGIONS[nextInt(random, REGIONS.length)]!],
  });
  return matchmaker
    .execute((unit) =>
      submitOrder(unit, {
        orderId: newId('order', unit.now, random),
        accountId,
        tenantWallet: `0x${'1'.repeat(40)}`,
        spec,
        secrets: null,
        maxRateMicrosPerHour: 2_000_000n,
        profile: 'balanced',
        weights: null,
        workloadClass: 'general',
        near: null,
        includeProviders: [],
        excludeProviders: [],
        expiresAtMs: unit.now + 3_600_000,
        warnings: [],
        requestHash: '0'.repeat(64),
      }),
    )
    .then((order) => order.state);
};

export type DurableFigures = {
  readonly matchedPerSecond: number;
  readonly replyMsP50: number;
  readonly replyMsP99: number;
  readonly barePerSecond: number;
  /** Living orders that a writer which begins, or whose commit failed, reads and folds, each with its lease. */
  readonly restoredPerSecond: number;
  /**
   * Of one matched order until its events are published, which may be later: of this process, with the relay and the bus in
   * it, and of Postgres; null where unknown.
   */
  readonly nodeCpuMs: number;
  readonly postgresCpuMs: number | null;
  /** Public events that the relay had still to publish when the last order was matched. */
  readonly outboxLagEvents: number;
};

/** @returns orders a second */
const restoring = async (database: DataSource, store: EventStore): Promise<number> => {
  const { ms, result } = await timed(() => loadExchange(database, store));
  return perSecond([...result.orders()].length, ms);
};

/**
 * Orders from submission to the commit of the match and the hold, through the running matchmaker: events, read models,
 * timeline and outbox in one transaction a batch, on a Postgres that waits for the disk. The relay to the bus runs beside.
 */
export const durable = async (
  context: BenchmarkContext,
  { providers, orders, concurrency }: { providers: number; orders: number; concurrency: number },
): Promise<DurableFigures> => {
  const postgres = await startPostgres(context);
  const [databaseUrl, busUrl] = [
    await postgres.createDatabase('matchmaker'),
    await postgres.createDatabase('bus'),
  ];
  const bus = new EmbeddedBus({ databaseUrl: busUrl, logger: silentLogger });
  await bus.start();
  context.defer(() => bus.close());
  const { keyId, publicKey } = await generateSealingKey();
  const [httpPort, grpcPort] = [await freePort(), await freePort()];
  const origin = `http://127.0.0.1:${httpPort}`;
  const service = await startService(
    matchmakerService,
    {
      databaseUrl,
      bus: { adapter: 'embedded', url: busUrl },
      httpPort,
      grpcPort,
      jwksUrl: `${origin}/.well-known/jwks.json`,
      publicOrigin: origin,
      orchestratorSealingPublicKey: { keyId, publicKey },
      fundWithinMs: 3_600_000,
      maxOpenOrders: 100_000,
      maxOpenLeases: 100_000,
    },
    { bus },
  );
  context.defer(() => service.close());
  const matchmaker = service.app.get(Matchmaker);
  const database = service.app.get(DataSource);
  const random = seededRandom(1);
  await openMarket(matchmaker, random, providers);
  context.progress(`${providers} providers are on the market`);
  const accounts = Array.from({ length: ACCOUNTS }, () => newId('account', systemClock.now(), random));
  const latencies: number[] = [];
  let [next, matched] = [0, 0];
  const run = async (many: number): Promise<number> => {
    const until = next + many;
    const start = performance.now();
    const caller = async (): Promise<void> => {
      while (next < until) {
        const accountId = accounts[(next += 1) % ACCOUNTS]!;
        const begun = performance.now();
        if ((await submit(matchmaker, random, accountId)) === 'matched') matched += 1;
        latencies.push(performance.now() - begun);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, caller));
    return performance.now() - start;
  };
  const warmUp = Math.ceil(orders / 10);
  await run(warmUp);
  latencies.length = 0;
  matched = 0;
  await drained(database);
  const [nodeBefore, postgresBefore] = [process.cpuUsage(), postgres.cpuSeconds()];
  const ms = await run(orders);
  const outboxLagEvents = await lagOf(database);
  await drained(database);
  const node = process.cpuUsage(nodeBefore);
  const postgresAfter = postgres.cpuSeconds();
  const restoredPerSecond = await restoring(database, service.app.get(EventStore));
  const barePerSecond = await bareInserts(databaseUrl, orders + warmUp, Math.min(1_000, concurrency));
  return {
    barePerSecond,
    restoredPerSecond,
    outboxLagEvents,
    nodeCpuMs: rounded((node.user + node.system) / 1_000 / orders),
    postgresCpuMs:
      postgresBefore === null || postgresAfter === null
        ? null
        : rounded(((postgresAfter - postgresBefore) * 1_000) / orders),
    matchedPerSecond: perSecond(matched, ms),
    replyMsP50: rounded(percentile(latencies, 0.5)),
    replyMsP99: rounded(percentile(latencies, 0.99)),
  };
};
