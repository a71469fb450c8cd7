import { Kafka, logLevel, Partitioners } from 'kafkajs';
import type { Subject } from './subject.ts';

/** What kafkajs does by itself: the same producer and records, a consumer that parses, counts and commits. */
export const rawKafkajs = async (brokers: string, topic: string, partitions: number): Promise<Subject> => {
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: partitions }] });
  await admin.disconnect();
  const producer = kafka.producer({
    ...{ idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner },
  });
  await producer.connect();
  const consumer = kafka.consumer({ groupId: 'raw', maxWaitTimeInMs: 250 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  let handled: (sentAtMs: number) => void = () => undefined;
  await consumer.run({
    partitionsConsumedConcurrently: 8,
    eachBatch: ({ batch }) => {
      for (const message of batch.messages) {
        handled((JSON.parse(message.value!.toString()) as { sentAtMs: number }).sentAtMs);
      }
      return Promise.resolve();
    },
  });
  return {
    publish: async (records) => {
      await producer.send({
        topic,
        acks: -1,
        messages: records.map(({ key, value, headers }) => ({
          key,
          value: JSON.stringify(value),
          headers: { ...headers },
        })),
      });
    },
    onHandled: (callback) => (handled = callback),
    close: async () => {
      await consumer.disconnect();
      await producer.disconnect();
    },
  };
};
