import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  cloudEventTypeOf,
  EventCatalogue,
  type EventDefinition,
  eventFamily,
  nextVersion,
} from '@gridbourse/events';
import { silentLogger } from '@gridbourse/observability';
import { eventually, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { Controller, type INestMicroservice, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import {
  BusStrategy,
  type BusRecord,
  type EventBus,
  EventContext,
  inboxMigrationSql,
  OnEvent,
} from '../../src/index.ts';
import { record } from '../records.ts';
import { quick, range, type Suite } from './suite.ts';

const run = Date.now().toString(36).replace(/\d/g, 'x');
const parcel = eventFamily(`depot-${run}`, 'parcel');
const shipped = parcel('ParcelShipped', 'It left.', z.object({ to: z.string() }));
const shippedLater = nextVersion(shipped, { schema: shipped.schema, upcast: (fields) => fields });
const returned = parcel('ParcelReturned', 'It came back.', z.object({ why: z.string() }));
const TOPIC = `gridbourse.depot-${run}.parcel`;

const seen: string[] = [];

@Controller()
class ParcelReader {
  @OnEvent(shipped)
  async onShipped(@Payload() event: { to: string }, @Ctx() context: EventContext) {
    await context.manager.query('INSERT INTO effects VALUES ($1, pg_current_xact_id()::text)', [
      `${context.key} ${context.sequence} ${event.to}`,
    ]);
    seen.push(context.key);
    if (event.to === 'nowhere') throw new Error('no such place');
  }
}

@Module({ controllers: [ParcelReader] })
class ParcelModule {}

const eventOn = (definition: EventDefinition, key: string, sequence: number, value: object): BusRecord => {
  const base = record(TOPIC, key, sequence, value);
  return { ...base, headers: { ...base.headers, ce_type: cloudEventTypeOf(definition) } };
};

/** What a consumer cannot read yet waits for the version that can; many events share a transaction. */
export const upgradeContract = ({ under }: Suite): void => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let bus: EventBus | null = null;
  let app: INestMicroservice | null = null;

  const start = async (definitions: readonly EventDefinition[]): Promise<void> => {
    bus = under().connect({ retry: quick });
    const catalogue = new EventCatalogue(definitions);
    app = await NestFactory.createMicroservice(ParcelModule, {
      strategy: new BusStrategy({ bus, dataSource, group: `depot-${run}`, catalogue, logger: silentLogger }),
      logger: false,
    });
    await app.listen();
  };
  const stop = async (): Promise<void> => {
    await app?.close();
    await bus?.close();
  };
  beforeAll(async () => {
    database = await testDatabase('bus_upgrade', async (url) => {
      const source = await new DataSource({ type: 'postgres', url }).initialize();
      await source.query(`${inboxMigrationSql()} CREATE TABLE effects (what text, tx text)`);
      await source.destroy();
    });
    dataSource = await new DataSource({ type: 'postgres', url: database.url }).initialize();
  });
  afterAll(async () => {
    await stop();
    await dataSource.destroy();
    await database.drop();
  });
  const effects = async (): Promise<{ what: string; tx: string }[]> =>
    dataSource.query('SELECT what, tx FROM effects');
  const open = () => under().deadLetters.list({ group: `depot-${run}` });

  it('keeps events that it cannot read yet, and handles them after the upgrade, in order', async () => {
    await start([shipped]);
    await bus!.publish([
      eventOn(shipped, 'newer', 1, { to: 'a' }),
      eventOn(shippedLater, 'newer', 2, { to: 'b' }),
      eventOn(shipped, 'newer', 3, { to: 'c' }),
      eventOn(returned, 'unknown', 1, { why: 'x' }),
      eventOn(shipped, 'unknown', 2, { to: 'd' }),
    ]);
    await eventually(async () => (await open()).length === 4);
    expect((await effects()).map(({ what }) => what)).toEqual(['newer 1 a']);
    await stop();

    await start([shippedLater, returned]);
    for (const key of ['newer', 'unknown']) {
      await under().deadLetters.replay({ group: `depot-${run}`, topic: TOPIC, key });
    }
    await eventually(async () => (await open()).length === 0);
    expect((await effects()).map(({ what }) => what).sort()).toEqual([
      'newer 1 a',
      'newer 2 b',
      'newer 3 c',
      'unknown 2 d',
    ]);
  });

  it('handles many events in one transaction, and lets one that fails take no other with it', async () => {
    await dataSource.query('TRUNCATE effects');
    const keys = range(100).map((n) => `many-${n}`);
    await bus!.publish([
      ...keys.map((key) => eventOn(shipped, key, 1, { to: key === 'many-50' ? 'nowhere' : 'there' })),
      ...keys.map((key) => eventOn(shipped, key, 2, { to: 'there' })),
      // Repetitions, as after a crash, are dropped inside a batch too.
      ...keys.slice(0, 40).map((key) => eventOn(shipped, key, 1, { to: 'twice' })),
    ]);
    await eventually(async () => (await effects()).length === 198, { deadlineMs: 20_000 });
    await eventually(async () => (await open()).length === 2);
    expect((await open()).map(({ key, state }) => `${key} ${state}`)).toEqual([
      'many-50 failed',
      'many-50 waiting',
    ]);
    const written = await effects();
    expect(new Set(written.map(({ what }) => what)).size).toBe(198);
    expect(written.some(({ what }) => what.includes('twice') || what.startsWith('many-50 '))).toBe(false);
    expect(new Set(written.map(({ tx }) => tx)).size).toBeLessThan(99);
  });
};
