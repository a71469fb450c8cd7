import { silentLogger } from '@gridbourse/observability';
import { eventually, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { testKafka, type TestKafka } from '@gridbourse/testing/kafka';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { KafkaBus, kafkaConfig } from '../src/index.ts';
import { Collector, gate, record } from './records.ts';

const KEY = 'the key';

describe('records that Kafka has deleted before they were handled', () => {
  jest.setTimeout(90_000);
  let kafka: TestKafka;
  let database: TestDatabase;
  let admin: Admin;
  let run = 0;
  let names: { readonly topic: string; readonly group: string };
  let collector: Collector;
  let said: { readonly fields: object; readonly message: string }[];
  const buses: KafkaBus[] = [];

  beforeAll(async () => {
    kafka = await testKafka();
    database = await testDatabase('bus_letters');
    admin = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
  });
  afterAll(async () => {
    await admin?.disconnect();
    await kafka?.stop();
    await database?.drop();
  });
  beforeEach(() => {
    const name = `deleted-${Date.now().toString(36)}-${(run += 1)}`;
    names = { topic: `gridbourse.test.${name}`, group: name };
    collector = new Collector();
    said = [];
  });
  afterEach(() => Promise.all(buses.splice(0).map((bus) => bus.close())));

  const connect = (): KafkaBus => {
    const bus = new KafkaBus({
      config: kafkaConfig.parse({
        brokers: kafka.bootstrap,
        fetchWaitMs: 100,
        fetchBytesPerPartition: 1_024,
        partitions: 1,
      }),
      deadLetters: { databaseUrl: database.url },
      logger: { ...silentLogger, error: (fields, message) => said.push({ fields, message }) },
      maxUnsettled: 2,
    });
    buses.push(bus);
    return bus;
  };
  const write = (from: number, to: number): Promise<void> =>
    connect().publish(Array.from({ length: to - from + 1 }, (_, at) => record(names.topic, KEY, from + at)));
  const read = async (): Promise<KafkaBus> => {
    const bus = connect();
    await bus.subscribe({ group: names.group, topics: [names.topic], handler: collector.handler });
    return bus;
  };
  const haveRead = (until: number): Promise<unknown> =>
    eventually(() => collector.sequencesOf(KEY).at(-1) === until, { deadlineMs: 30_000 });
  const deleteBefore = async (offset: number): Promise<void> => {
    // It deletes only of topics whose leaders it has asked for.
    await admin.fetchTopicOffsets(names.topic);
    await admin.deleteTopicRecords({
      topic: names.topic,
      partitions: [{ partition: 0, offset: String(offset) }],
    });
  };

  it('are told of by the member that begins behind them', async () => {
    await write(1, 3);
    const first = await read();
    await haveRead(3);
    await first.close();
    expect(said).toEqual([]);
    await write(4, 10);
    await deleteBefore(6);
    await read();
    await haveRead(10);
    expect(collector.sequencesOf(KEY)).toEqual([1, 2, 3, 7, 8, 9, 10]);
    expect(said).toEqual([
      {
        fields: expect.objectContaining({ ...names, partition: 0 }),
        message: 'records were deleted before they had been handled',
      },
    ]);
  });

  it('are told of, with their number, by the member that was on its way to them', async () => {
    const { opened, open } = gate();
    collector.during = () => opened;
    await write(1, 2);
    await read();
    await eventually(() => collector.started.length === 1);
    // The partition waits for the handler: one more batch may be fetched meanwhile, and the last is not.
    await write(3, 4);
    await write(5, 10);
    await deleteBefore(8);
    open();
    await haveRead(10);
    const handled = collector.sequencesOf(KEY);
    const next = handled.at(-3)!;
    expect(handled).toEqual([...Array.from({ length: next }, (_, at) => at + 1), 9, 10]);
    expect(said).toEqual([
      {
        fields: { ...names, partition: 0, missing: next, from: 8, earliest: 8 },
        message: 'records were deleted before they had been handled',
      },
    ]);
  });
});
