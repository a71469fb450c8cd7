import { testKafka } from '@gridbourse/testing/kafka';
import { crashContract } from './crash-contract.ts';

crashContract('the bus on Kafka', async () => {
  const kafka = await testKafka();
  return { bus: { kind: 'kafka', brokers: kafka.bootstrap }, close: () => kafka.stop() };
});
