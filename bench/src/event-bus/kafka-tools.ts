import type { KafkaServer } from '@gridbourse/infra';

const TOPIC = 'bench.tools';

/** Kafka's own performance tools on the same broker, with records of the same size. Events a second, each by itself. */
export const kafkaTools = async (
  server: KafkaServer,
  options: { events: number; payloadBytes: number; partitions: number },
): Promise<{ produced: number; consumed: number }> => {
  const at = server.bootstrap;
  await server.tool('org.apache.kafka.tools.TopicCommand', [
    ...['--bootstrap-server', at, '--create', '--topic', TOPIC],
    ...['--partitions', String(options.partitions), '--replication-factor', '1'],
  ]);
  const producing = await server.tool('org.apache.kafka.tools.ProducerPerformance', [
    ...[
      '--topic',
      TOPIC,
      '--num-records',
      String(options.events),
      '--record-size',
      String(options.payloadBytes),
    ],
    ...[
      '--throughput',
      '-1',
      '--producer-props',
      `bootstrap.servers=${at}`,
      'acks=all',
      'enable.idempotence=true',
    ],
  ]);
  const consuming = await server.tool('org.apache.kafka.tools.ConsumerPerformance', [
    ...['--bootstrap-server', at, '--topic', TOPIC],
    ...['--num-records', String(options.events), '--timeout', '60000'],
  ]);
  const produced = Number(/([\d.]+) records\/sec[^\n]*$/m.exec(producing.trimEnd().split('\n').at(-1)!)?.[1]);
  // start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, …
  const consumed = Number(consuming.trimEnd().split('\n').at(-1)!.split(',')[5]);
  return { produced: Math.round(produced), consumed: Math.round(consumed) };
};
