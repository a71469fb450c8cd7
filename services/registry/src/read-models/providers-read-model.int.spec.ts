import {
  EventStore,
  eventStoreMigrations,
  migrate,
  ReadModelRebuild,
  sqlMigrations,
} from '@gridbourse/event-store';
import { INTERCONNECTS } from '@gridbourse/events';
import { ManualClock, newId, nextInt, type Random, seededRandom } from '@gridbourse/kernel';
import { silentLogger } from '@gridbourse/observability';
import { testDatabase, type TestDatabase } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { DataSource } from 'typeorm';
import { type RegistryProviderEvent, registryCatalogue } from '../domain/private-events.ts';
import { projectProvider } from './provider.projection.ts';
import { providersReadModel } from './providers-read-model.ts';

// Real here: Postgres with the registry's own migrations, the projection, the event store.

/** Generous: other suites run beside this one. */
jest.setTimeout(60_000);

const NOON = Date.UTC(2026, 0, 1, 12);
const PLACE = {
  region: 'us-east',
  country: 'US',
  city: 'Ashburn',
  location: { latitude: 39, longitude: -77.5 },
};

let database: TestDatabase;
let dataSource: DataSource;
let store: EventStore;

beforeAll(async () => {
  database = await testDatabase('registry_tables');
  dataSource = await new DataSource({
    type: 'postgres',
    url: database.url,
    migrations: [
      ...eventStoreMigrations,
      ...sqlMigrations(new URL('../../migrations/', import.meta.url), 'registry'),
    ],
  }).initialize();
  await migrate(dataSource);
  store = new EventStore({
    context: 'registry',
    catalogue: registryCatalogue,
    clock: new ManualClock(NOON),
  });
});
afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
});

type Provider = { readonly providerId: ReturnType<typeof newProviderId>; version: number; revision: number };
const newProviderId = (random: Random) => newId('provider', NOON, random);

const published = (provider: Provider, random: Random): RegistryProviderEvent => ({
  type: 'OfferPublished',
  providerId: provider.providerId,
  offerId: newId('offer', NOON, seededRandom(provider.providerId.length + nextInt(random, 2))),
  revision: (provider.revision += 1),
  gpu: null,
  nodes: Array.from({ length: 1 + nextInt(random, 3) }, (_, i) => ({
    ...{
      name: `node-${i}`,
      gpus: 0,
      cpuMillis: 1_000 * nextInt(random, 64),
      memoryMiB: 1_024,
      storageMiB: 10,
    },
  })),
  price: {
    ...{
      perGpu: 0n,
      perCpuCore: BigInt(nextInt(random, 50_000)),
      perMemoryGiB: 2n ** 40n,
      perStorageGiB: 1n,
    },
  },
  policy: { autoAccept: random.next() < 0.5, minDurationSeconds: 0, maxDurationSeconds: 86_400 },
  storageClasses: ['default', 'b"eta'].slice(nextInt(random, 3)),
  interconnect: INTERCONNECTS[nextInt(random, INTERCONNECTS.length)]!,
  publishedAtMs: NOON + provider.revision,
});

const anyEvent = (provider: Provider, random: Random): RegistryProviderEvent => {
  const { providerId } = provider;
  const atMs = NOON + nextInt(random, 1_000_000);
  const offerId = newId('offer', NOON, seededRandom(providerId.length + nextInt(random, 2)));
  const choices: readonly (() => RegistryProviderEvent)[] = [
    () => published(provider, random),
    () => ({ type: 'OfferWithdrawn', providerId, offerId, reason: 'enough', atMs }),
    () => ({ type: 'TierChanged', providerId, from: 7, to: 1 + nextInt(random, 7), atMs }),
    () => ({ type: 'ProviderOnline', providerId, atMs }),
    () => ({ type: 'ProviderOffline', providerId, lastSeenAtMs: atMs, atMs }),
    () => ({ type: 'ProviderSuspended', providerId, reason: 'looked at', atMs }),
    () => ({ type: 'ProviderReinstated', providerId, atMs }),
    () => ({
      type: 'StakeSeen',
      providerId,
      chainProviderId: 1,
      stakeMicros: BigInt(nextInt(random, 2 ** 30)),
      atMs,
    }),
    () => ({
      type: 'ProviderActivated',
      providerId,
      chainProviderId: 1,
      stakeMicros: 5n,
      activatedAtMs: atMs,
    }),
  ];
  return choices[nextInt(random, choices.length)]!();
};

/** As the registry's aggregates do it: events and read model in one transaction. */
const record = async (provider: Provider, events: readonly RegistryProviderEvent[]): Promise<void> => {
  const expectedVersion = provider.version;
  provider.version += events.length;
  await dataSource.transaction(async (manager) => {
    await store.append(manager, [{ streamId: provider.providerId, expectedVersion, events }]);
    await projectProvider(manager, events);
  });
};

const register = async (random: Random): Promise<Provider> => {
  const provider: Provider = { providerId: newProviderId(random), version: 0, revision: 0 };
  await record(provider, [
    {
      type: 'ProviderRegistered',
      providerId: provider.providerId,
      accountId: newId('account', NOON, random),
      wallet: `0x${Array.from({ length: 40 }, () => nextInt(random, 16).toString(16)).join('')}`,
      name: `machines of é "${nextInt(random, 100)}"`,
      place: PLACE,
      attributes: { 'disk\\kind': 'nvme' },
      registeredAtMs: NOON,
    },
  ]);
  await dataSource.query(`INSERT INTO provider_clusters VALUES ($1, 'key', '\\x00', '\\x00', 1)`, [
    provider.providerId,
  ]);
  return provider;
};

const dump = async (): Promise<string[]> =>
  (
    await dataSource.query<{ line: string }[]>(
      `SELECT line FROM (
         SELECT r::text AS line FROM providers r UNION ALL SELECT r::text FROM offers r
         UNION ALL SELECT r::text FROM provider_clusters r
       ) AS all_rows ORDER BY line COLLATE "C"`,
    )
  ).map(({ line }) => line);

const rebuild = (): Promise<{ events: number }> =>
  new ReadModelRebuild({
    ...{ dataSource, store, readModel: providersReadModel(), logger: silentLogger, pageSize: 25 },
  }).run();

describe('providers and offers, rebuilt from their events', () => {
  it.each([1, 2, 3])(
    'are byte for byte what the projection made of them while they came (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      const all = [await register(random), await register(random), await register(random)];
      const live = async (times: number): Promise<void> => {
        for (let n = 0; n < times; n += 1) {
          const provider = all[nextInt(random, all.length)]!;
          const events = Array.from({ length: 1 + nextInt(random, 3) }, () => anyEvent(provider, random));
          await record(provider, events);
        }
      };
      await live(40);
      const written = await dump();
      await dataSource.query(`UPDATE providers SET tier = 7, liveness = 'unseen', place = '{}'`);
      await dataSource.query('UPDATE offers SET withdrawn = NOT withdrawn');
      expect(await dump()).not.toEqual(written);
      await rebuild();
      expect(await dump()).toEqual(written);

      const living = live(40);
      await rebuild();
      await living;
      const after = await dump();
      await rebuild();
      expect(await dump()).toEqual(after);
    },
  );
});
