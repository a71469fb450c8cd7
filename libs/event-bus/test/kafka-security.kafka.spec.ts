import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { silentLogger } from '@gridbourse/observability';
import { eventually, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { KafkaBus, kafkaConfig, type KafkaConfigInput } from '../src/index.ts';
import { Collector, record } from './records.ts';
import { makeCertificates } from './support/certificates.ts';
import { nativeKafka, ownsKafka } from '@gridbourse/testing/kafka';

const name = 'the bus on Kafka with TLS and SASL, on a real broker';
const TOPIC = 'gridbourse.test.secured';
const users = [
  { mechanism: 'SCRAM-SHA-256', username: 'alice', password: 'alice-secret' },
  { mechanism: 'SCRAM-SHA-512', username: 'bob', password: 'bob-secret' },
  { mechanism: 'PLAIN', username: 'carol', password: 'carol-secret' },
] as const;

if (!ownsKafka()) {
  describe(name, () => it.skip('needs a broker of our own to set up', () => undefined));
} else {
  describe(name, () => {
    jest.setTimeout(90_000);
    const { ca, certificate, key } = makeCertificates();
    let kafka: Awaited<ReturnType<typeof nativeKafka>>;
    let database: TestDatabase;

    beforeAll(async () => {
      [kafka, database] = await Promise.all([
        nativeKafka({ tls: { certificate, key }, users }),
        testDatabase('bus_letters'),
      ]);
    });
    afterAll(async () => {
      await kafka.stop();
      await database.drop();
    });

    const connect = (more: Partial<KafkaConfigInput>): KafkaBus =>
      new KafkaBus({
        config: kafkaConfig.parse({
          brokers: kafka.bootstrap,
          ssl: { ca },
          publishDeadlineMs: 20_000,
          fetchWaitMs: 100,
          ...more,
        }),
        deadLetters: { databaseUrl: database.url },
        logger: silentLogger,
      });

    it.each([
      ['scram-sha-256', 'alice'],
      ['scram-sha-512', 'bob'],
      ['plain', 'carol'],
    ] as const)('publishes and consumes with %s over TLS', async (mechanism, username) => {
      const bus = connect({ sasl: { mechanism, username, password: `${username}-secret` } });
      const collector = new Collector();
      const topic = `${TOPIC}.${username}`;
      await bus.subscribe({ group: username, topics: [topic], handler: collector.handler });
      await bus.publish([record(topic, 'a', 1), record(topic, 'a', 2)]);
      await eventually(() => collector.finished.length === 2, { deadlineMs: 20_000 });
      await bus.close();
    });

    it.each([
      ['a wrong password', { sasl: { mechanism: 'scram-sha-256', username: 'alice', password: 'guessed' } }],
      ['no user', {}],
      [
        'an authority that has not signed the certificate',
        { ssl: true, sasl: { mechanism: 'plain', username: 'carol', password: 'carol-secret' } },
      ],
      ['no TLS', { ssl: false, sasl: { mechanism: 'plain', username: 'carol', password: 'carol-secret' } }],
    ] as const)('is refused with %s', async (_, more) => {
      const bus = connect({
        ...more,
        publishDeadlineMs: 500,
        requestTimeoutMs: 1_500,
        connectionTimeoutMs: 1_500,
      });
      await expect(bus.publish([record(TOPIC, 'a', 1)])).rejects.toMatchObject({ code: 'bus_unavailable' });
      await bus.close();
    });
  });
}
