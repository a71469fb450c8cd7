import { backpressureContract } from './contract/backpressure.ts';
import { deliveryContract } from './contract/delivery.ts';
import { failureContract } from './contract/failure.ts';
import { membersContract } from './contract/members.ts';
import { strategyContract } from './contract/strategy.ts';
import { withBus } from './contract/suite.ts';
import { upgradeContract } from './contract/upgrade.ts';
import { kafkaUnderTest } from './support/kafka-under-test.ts';
import { testKafka } from '@gridbourse/testing/kafka';

withBus(
  'the bus on Kafka, on a real broker',
  async () => kafkaUnderTest(await testKafka()),
  ...[
    deliveryContract,
    failureContract,
    membersContract,
    backpressureContract,
    strategyContract,
    upgradeContract,
  ],
);
