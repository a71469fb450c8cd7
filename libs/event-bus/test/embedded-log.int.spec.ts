import { silentLogger } from '@gridbourse/observability';
import { eventually, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type BusRecord, DeadLetters, EmbeddedBus } from '../src/index.ts';
import { partitionOf } from '../src/embedded/partitioner.ts';
import { Collector, record } from './records.ts';

// Real here: Postgres. Many records are copied into the log, few are handed to a function: nobody can tell by what is there.

const TOPICS = ['gridbourse.test.log', 'gridbourse.test.other'];
const ODD = ['', 'é 🜂', '"\\ \u0000 \ud800', 'line\nbreak\ttab', 'x'.repeat(300_000)];

let database: TestDatabase;
let reader: pg.Client;
let bus: EmbeddedBus;
beforeAll(async () => {
  database = await testDatabase('bus_log');
  reader = new pg.Client({ connectionString: database.url });
  await reader.connect();
  bus = new EmbeddedBus({ databaseUrl: database.url, logger: silentLogger, pollMs: 50 });
  await bus.start();
});
afterAll(async () => {
  await bus?.close();
  await reader?.end();
  await database?.drop();
});

type Logged = {
  topic: string;
  partition: number;
  offset: number;
  key: string;
  headers: object;
  value: unknown;
};

/** As processes of the release before this one read it. */
const logged = async (): Promise<Logged[]> =>
  (
    await reader.query<Logged>(
      `SELECT topic, partition, record_offset::int AS offset, key, headers, value->'text' AS value
       FROM bus_records ORDER BY topic, partition, record_offset`,
    )
  ).rows;

describe('the log', () => {
  it('takes any number of records, each partition in the order of the call and without gaps', async () => {
    const sequences = new Map<string, number>();
    const made = (many: number) =>
      Array.from({ length: many }, (_, at) => {
        const [topic, key] = [TOPICS[at % 2]!, `key ${at % 17} é`];
        const sequence = (sequences.get(topic + key) ?? 0) + 1;
        sequences.set(topic + key, sequence);
        return record(topic, key, sequence, { text: `${many} ${at} 🜂` });
      });
    const all: BusRecord[] = [];
    for (const many of [1, 99, 100, 101, 1_000, 2_500]) {
      const records = made(many);
      await bus.publish(records);
      all.push(...records);
    }
    const expected = TOPICS.flatMap((topic) =>
      Array.from({ length: 8 }, (_, partition) =>
        all
          .filter((one) => one.topic === topic && partitionOf(one.key, 8) === partition)
          .map(({ key, headers, value }, offset) => ({
            ...{ topic, partition, offset, key, headers },
            value: (value as { text: string }).text,
          })),
      ).flat(),
    );
    expect(await logged()).toEqual(expected);
  });

  it('gives back every value to the letter, whichever way it came', async () => {
    const topic = 'gridbourse.test.odd';
    const few = ODD.map((text, at) => record(topic, 'few', at + 1, { text }));
    const many = Array.from({ length: 120 }, (_, at) => record(topic, 'many', at + 1, ODD[at % 4]));
    await bus.publish(few);
    await bus.publish(many);
    const collector = new Collector();
    const subscription = await bus.subscribe({ group: 'odd', topics: [topic], handler: collector.handler });
    await eventually(() => collector.finished.length === few.length + many.length, { deadlineMs: 20_000 });
    await subscription.close();
    const valuesOf = (key: string): unknown[] =>
      collector.finished.filter((one) => one.key === key).map(({ value }) => value);
    expect(valuesOf('few')).toEqual(few.map(({ value }) => value));
    expect(valuesOf('many')).toEqual(many.map(({ value }) => value));
  });

  it('takes all of a call or nothing', async () => {
    const topic = 'gridbourse.test.whole';
    await bus.publish([record(topic, 'a', 1)]);
    await reader.query(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
       CREATE TRIGGER refuse BEFORE INSERT ON bus_log FOR EACH ROW WHEN (NEW.key = 'bad') EXECUTE FUNCTION refuse()`,
    );
    const records = Array.from({ length: 150 }, (_, at) => record(topic, 'a', at + 2));
    await expect(bus.publish([...records, record(topic, 'bad', 1)])).rejects.toThrow('no');
    await reader.query('DROP TRIGGER refuse ON bus_log');
    await bus.publish(records);
    const { rows } = await reader.query<{ offset: number; sequence: string }>(
      `SELECT record_offset::int AS offset, headers ->> 'sequence' AS sequence FROM bus_records
       WHERE topic = $1 ORDER BY record_offset`,
      [topic],
    );
    expect(rows).toEqual(Array.from({ length: 151 }, (_, at) => ({ offset: at, sequence: `${at + 1}` })));
  });

  it('keeps what is no JSON as a dead letter, and goes on behind it', async () => {
    const topic = 'gridbourse.test.spoilt';
    await bus.publish([record(topic, 'a', 1), record(topic, 'b', 1), record(topic, 'c', 1)]);
    await reader.query(`UPDATE bus_log SET value = 'no json' WHERE topic = $1 AND key = 'a'`, [topic]);
    await reader.query(`UPDATE bus_log SET headers = '{' WHERE topic = $1 AND key = 'b'`, [topic]);
    const collector = new Collector();
    const subscription = await bus.subscribe({
      group: 'spoilt',
      topics: [topic],
      handler: collector.handler,
    });
    const letters = new DeadLetters({ databaseUrl: database.url });
    await eventually(
      async () => collector.finished.length === 1 && (await letters.list({ group: 'spoilt' })).length === 2,
      { deadlineMs: 20_000 },
    );
    await subscription.close();
    const kept = await letters.list({ group: 'spoilt' });
    await letters.close();
    expect(kept.map(({ key, errorCode }) => [key, errorCode]).sort()).toEqual([
      ['a', 'value_not_json'],
      ['b', 'headers_not_json'],
    ]);
  });
});
