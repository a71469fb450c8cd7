import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { Kafka, type KafkaMessage, logLevel, Partitioners } from 'kafkajs';
import { Collector, record } from './records.ts';
import { quick } from './contract/suite.ts';
import { kafkaUnderTest } from './support/kafka-under-test.ts';
import { testKafka } from '@gridbourse/testing/kafka';

describe('dead letters of Kafka, on a real broker and a real Postgres', () => {
  jest.setTimeout(90_000);
  let under: Awaited<ReturnType<typeof kafkaUnderTest>>;
  let raw: Kafka;
  const run = Date.now().toString(36);

  beforeAll(async () => {
    const kafka = await testKafka();
    raw = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING });
    under = await kafkaUnderTest(kafka);
  });
  afterAll(() => under.close());

  it('are copied into <topic>.dlq with what went wrong and where the record lay', async () => {
    const topic = `gridbourse.test.letters-${run}`;
    const bus = under.connect({ retry: quick });
    const collector = new Collector();
    collector.during = () => {
      throw new Error('poison');
    };
    await bus.subscribe({ group: `letters-${run}`, topics: [topic], handler: collector.handler });
    await bus.publish([record(topic, 'bad', 1, { what: 'it was' })]);
    const found: KafkaMessage[] = [];
    const reader = raw.consumer({ groupId: `dlq-${run}` });
    await reader.connect();
    await reader.subscribe({ topics: [`${topic}.dlq`], fromBeginning: true });
    await reader.run({ eachMessage: ({ message }) => Promise.resolve(void found.push(message)) });
    await eventually(() => found.length === 1, { deadlineMs: 20_000 });
    await reader.disconnect();
    const headers = Object.fromEntries(
      Object.entries(found[0]!.headers ?? {}).map(([name, value]) => [name, String(value)]),
    );
    expect(found[0]!.key?.toString()).toBe('bad');
    expect(JSON.parse(found[0]!.value!.toString())).toEqual({ what: 'it was' });
    expect(headers).toMatchObject({
      ce_id: 'bad@1',
      sequence: '1',
      dlq_error: 'Error: poison',
      dlq_attempts: '3',
      dlq_group: `letters-${run}`,
      dlq_topic: topic,
      dlq_offset: '0',
    });
    expect(Number(headers['dlq_partition'])).toBeGreaterThanOrEqual(0);
    expect(Date.parse(headers['dlq_dead_at']!)).toBeGreaterThan(0);
    await bus.close();
  });

  it('keep what a stranger wrote, and let the records of other keys pass', async () => {
    const topic = `gridbourse.test.strangers-${run}`;
    const group = `strangers-${run}`;
    const bus = under.connect({ retry: quick });
    const collector = new Collector();
    await bus.subscribe({ group, topics: [topic], handler: collector.handler });
    const producer = raw.producer({
      ...{ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true, maxInFlightRequests: 1 },
    });
    await producer.connect();
    await producer.send({
      topic,
      messages: [
        { key: 'text', value: 'not json' },
        { key: 'bare', value: '{}' },
        // Where no key says where it belongs, a repeated sending may put it into another partition, and it is there twice.
        { key: null, partition: 0, value: '{}' },
        { key: 'tombstone', value: null },
      ],
    });
    await producer.disconnect();
    await bus.publish([record(topic, 'good', 1)]);
    await eventually(() => collector.sequencesOf('good').length === 1);
    const letters = await eventually(
      async () => {
        const open = await under.deadLetters.list({ group });
        expect(open.map(({ key }) => key).sort()).toEqual(['', 'bare', 'text', 'tombstone']);
        return open;
      },
      { deadlineMs: 20_000 },
    );
    const errors = Object.fromEntries(letters.map(({ key, error }) => [key, error?.split(':')[0]]));
    const codes = Object.fromEntries(letters.map(({ key, errorCode }) => [key, errorCode]));
    expect(codes).toEqual(errors);
    expect(errors).toEqual({
      text: 'value_not_json',
      bare: 'invalid_headers',
      '': 'key_missing',
      tombstone: 'value_not_json',
    });
    expect(letters.find(({ key }) => key === 'text')!.value).toBe('not json');
    expect(collector.started.map(({ key }) => key)).toEqual(['good']);
    const copies: string[] = [];
    const reader = raw.consumer({ groupId: `dlq-strangers-${run}` });
    await reader.connect();
    await reader.subscribe({ topics: [`${topic}.dlq`], fromBeginning: true });
    await reader.run({
      eachMessage: ({ message }) =>
        Promise.resolve(void copies.push(String(message.headers?.['dlq_error_code']))),
    });
    await eventually(() => expect(copies.sort()).toEqual(Object.values(errors).sort()), {
      deadlineMs: 20_000,
    });
    await reader.disconnect();
    await bus.close();
  });
});
