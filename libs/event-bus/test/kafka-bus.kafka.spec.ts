import { silentLogger } from '@gridbourse/observability';
import { testDatabase } from '@gridbourse/testing';
import { DeadLetters, kafkaConfig } from '../src/index.ts';
import { busContract } from './bus-contract.ts';
import { SeverableKafkaBus } from './support/severable-kafka-bus.ts';
import { ownsKafka, testKafka } from './support/test-kafka.ts';

/** Kafka lets members be declared dead after 6 s at the soonest, unless it is told otherwise, as ours is. */
const SESSION_MS = ownsKafka() ? 1_500 : 6_000;

busContract('Kafka, on a real broker', async () => {
  const [kafka, database] = await Promise.all([testKafka(), testDatabase('bus_letters')]);
  const deadLetters = new DeadLetters({ databaseUrl: database.url });
  const buses: SeverableKafkaBus[] = [];
  return {
    connect: ({ retry }) => {
      const bus = new SeverableKafkaBus({
        config: kafkaConfig.parse({
          brokers: kafka.bootstrap,
          sessionTimeoutMs: SESSION_MS,
          rebalanceTimeoutMs: SESSION_MS * 1.5,
          heartbeatMs: 300,
          requestTimeoutMs: 3_000,
          fetchWaitMs: 100,
        }),
        deadLetters: { databaseUrl: database.url },
        logger: silentLogger,
        retry,
        pollMs: 50,
      });
      buses.push(bus);
      return bus;
    },
    kill: (group) => {
      for (const bus of buses) if (bus.groups.has(group)) bus.cutOff(SESSION_MS * 1.5);
      return Promise.resolve();
    },
    deadLetters,
    close: async () => {
      await deadLetters.close();
      await kafka.stop();
      await database.drop();
    },
  };
});
