import { EventStore, eventStoreMigrations, migrate, sqlMigrations } from '@gridbourse/event-store';
import { systemClock } from '@gridbourse/kernel';
import { testDatabase, type TestDatabase } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { idOf, offerPublished, readyProvider } from '../../test/builders.ts';
import { Market } from '../domain/market.ts';
import { matchmakerCatalogue } from '../event-catalogue.ts';
import { matchmakerService } from '../matchmaker.service.ts';
import { loadExchange } from '../writer/load-exchange.ts';
import { offerRow } from './market.entities.ts';

// Real here: Postgres and the migrations. The rows are those that the release before wrote.

const migrations = [
  ...eventStoreMigrations,
  ...sqlMigrations(new URL('../../migrations/', import.meta.url), 'matchmaker'),
];
const SHARED_GPUS = migrations.findIndex((one) => new one().name!.includes('SharedGpus'));

let database: TestDatabase;
let dataSource: DataSource;

const open = (count: number): Promise<DataSource> =>
  new DataSource({
    ...{ type: 'postgres', url: database.url, entities: matchmakerService.entities as never[] },
    migrations: migrations.slice(0, count),
  }).initialize();

beforeAll(async () => {
  database = await testDatabase('empty');
  dataSource = await open(SHARED_GPUS);
  await migrate(dataSource);
}, 60_000);
afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
});

const offer = (word: string, model?: string | null) => {
  const market = new Market();
  readyProvider('old').forEach((event, i) => market.apply(event, i + 1));
  market.apply(offerPublished('old', word, model === undefined ? {} : { model }), 9);
  return market.offer(idOf('offer', word))!;
};

/** As it was written before there were shares and networks. */
const insertOld = async (word: string, model?: string | null): Promise<void> => {
  const { offerId, providerId, revision, withdrawn, body } = offerRow(offer(word, model));
  const { interconnect: _, gpu, ...rest } = body;
  const { sharing: __, ...oldGpu } = gpu ?? {};
  await dataSource.query('INSERT INTO offers VALUES ($1, $2, $3, $4, $5)', [
    ...[offerId, providerId, revision],
    ...[JSON.stringify({ ...rest, gpu: gpu && oldGpu }), withdrawn],
  ]);
};

const offersNow = async () => {
  const store = new EventStore({ context: 'matchmaker', catalogue: matchmakerCatalogue, clock: systemClock });
  const { market } = await loadExchange(dataSource, store);
  return new Map([...market.offers()].map((one) => [one.offerId, one]));
};

describe('offers of a database of before GPUs were shared', () => {
  it('sell whole GPUs on ethernet once it is migrated, and nothing else of them has changed', async () => {
    await insertOld('gpus', 'h100');
    await insertOld('cpus', null);
    await dataSource.destroy();
    dataSource = await open(migrations.length);
    expect(await migrate(dataSource)).toContain(new migrations[SHARED_GPUS]!().name);
    const rows = await dataSource.query<{ offer_id: string; body: unknown }[]>('SELECT * FROM offers');
    for (const word of ['gpus', 'cpus']) {
      const expected = offer(word, word === 'gpus' ? 'h100' : null);
      expect((await offersNow()).get(expected.offerId)).toEqual(expected);
      expect(rows.find((row) => row.offer_id === expected.offerId)!.body).toEqual(offerRow(expected).body);
    }
    expect(offer('gpus', 'h100')).toMatchObject({
      gpu: { sharing: { mode: 'whole' } },
      interconnect: 'ethernet',
    });
  });

  it('read the same where a process of the release before wrote them after the migration', async () => {
    await insertOld('late', 'a100');
    expect((await offersNow()).get(idOf('offer', 'late'))).toEqual(offer('late', 'a100'));
  });
});
