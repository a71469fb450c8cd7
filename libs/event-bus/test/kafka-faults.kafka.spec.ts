import { describe, it } from '@jest/globals';
import type { KafkaServer } from '@gridbourse/infra';
import { serverFaultsContract } from './contract/server-faults.ts';
import { withBus } from './contract/suite.ts';
import { kafkaUnderTest } from './support/kafka-under-test.ts';
import { nativeKafka, ownsKafka } from '@gridbourse/testing/kafka';

if (ownsKafka()) {
  let server: KafkaServer;
  withBus(
    'the bus on Kafka, on a broker that goes away',
    async () => {
      const kafka = await nativeKafka();
      server = kafka.server;
      // Half a second is what half a minute is to an outage of ten minutes.
      return kafkaUnderTest(kafka, { publishDeadlineMs: 500 });
    },
    serverFaultsContract(() => ({
      stop: () => server.stop(),
      kill: () => server.kill(),
      start: () => server.launch(),
    })),
  );
} else {
  describe('the bus on Kafka, on a broker that goes away', () => {
    it.skip('restart, kill and outage: this broker is not ours to stop', () => undefined);
  });
}
