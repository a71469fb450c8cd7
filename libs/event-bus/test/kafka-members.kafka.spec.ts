import { seededRandom } from '@gridbourse/kernel';
import { eventually } from '@gridbourse/testing';
import { testKafka } from '@gridbourse/testing/kafka';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { quick } from './contract/suite.ts';
import type { Delivery } from '../src/index.ts';
import { record } from './records.ts';
import { kafkaUnderTest } from './support/kafka-under-test.ts';
import type { SeverableKafkaBus } from './support/severable-kafka-bus.ts';

describe('members of a group, on a real broker', () => {
  jest.setTimeout(120_000);
  let under: Awaited<ReturnType<typeof kafkaUnderTest>>;
  let admin: Admin;

  beforeAll(async () => {
    const kafka = await testKafka();
    admin = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    under = await kafkaUnderTest(kafka);
  });
  afterAll(async () => {
    await admin?.disconnect();
    await under?.close();
  });

  it('are as many as there are consumers, however often and at whatever moment their connections break', async () => {
    const run = Date.now().toString(36);
    const [topic, group] = [`gridbourse.test.members-${run}`, `members-${run}`];
    const random = seededRandom(Number(process.env['BUS_SEED'] ?? 7));
    const connect = (): SeverableKafkaBus => under.connect({ retry: quick }) as SeverableKafkaBus;
    const [writer, ...readers] = [connect(), connect(), connect()];
    const last = new Map<string, number>();
    const handler = ({ key, sequence }: Delivery): Promise<void> =>
      Promise.resolve(void last.set(key, sequence));
    for (const reader of readers) await reader.subscribe({ group, topics: [topic], handler });
    const keys = Array.from({ length: 16 }, (_, at) => `key-${at}`);
    const rounds = 2_500;
    for (let sequence = 1; sequence <= rounds; sequence += 1) {
      await writer.publish(keys.map((key) => record(topic, key, sequence)));
      if (random.next() < 0.03) for (const reader of readers) reader.cutOff(random.next() * 400);
    }
    await eventually(() => expect(keys.map((key) => last.get(key))).toEqual(keys.map(() => rounds)), {
      deadlineMs: 60_000,
    });
    // A member that nobody knows of keeps its partitions as long as it lives.
    await eventually(
      async () => {
        const { groups } = await admin.describeGroups([group]);
        expect(groups.map(({ state, members }) => [state, members.length])).toEqual([['Stable', 2]]);
      },
      { deadlineMs: 30_000 },
    );
  });
});
