import { silentLogger } from '@gridbourse/observability';
import { testDatabase } from '@gridbourse/testing';
import { Kafka, logLevel } from 'kafkajs';
import { DeadLetters, kafkaConfig, type KafkaConfigInput } from '../../src/index.ts';
import type { BusUnderTest } from '../contract/suite.ts';
import { SeverableKafkaBus } from './severable-kafka-bus.ts';
import { ownsKafka, type TestKafka } from '@gridbourse/testing/kafka';

/** Kafka lets members be declared dead after 6 s at the soonest, unless it is told otherwise, as ours is. */
const SESSION_MS = ownsKafka() ? 1_500 : 6_000;

/** The bus on this broker, with its dead letters in a real Postgres. */
export const kafkaUnderTest = async (
  kafka: TestKafka,
  more: Partial<KafkaConfigInput> = {},
): Promise<BusUnderTest> => {
  const database = await testDatabase('bus_letters');
  const deadLetters = new DeadLetters({ databaseUrl: database.url });
  const buses: SeverableKafkaBus[] = [];
  const admin = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  return {
    connect: (options) => {
      const bus = new SeverableKafkaBus({
        config: kafkaConfig.parse({
          brokers: kafka.bootstrap,
          sessionTimeoutMs: SESSION_MS,
          rebalanceTimeoutMs: SESSION_MS * 1.5,
          heartbeatMs: 300,
          requestTimeoutMs: 3_000,
          fetchWaitMs: 100,
          ...more,
        }),
        deadLetters: { databaseUrl: database.url },
        logger: silentLogger,
        pollMs: 50,
        ...options,
      });
      buses.push(bus);
      return bus;
    },
    kill: (group) => {
      for (const bus of buses) if (bus.groups.has(group)) bus.cutOff(SESSION_MS * 1.5);
      return Promise.resolve();
    },
    rewind: async (group) => {
      for (const { topic } of await admin.fetchOffsets({ groupId: group })) {
        await admin.resetOffsets({ groupId: group, topic, earliest: true });
      }
    },
    topics: async () => (await admin.listTopics()).filter((topic) => !/\.dlq$|^__/.test(topic)),
    deadLetters,
    close: async () => {
      await deadLetters.close();
      await admin.disconnect();
      await kafka.stop();
      await database.drop();
    },
  };
};
