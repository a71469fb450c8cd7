import { EmbeddedBus, KafkaBus, kafkaConfig } from '@gridbourse/event-bus';
import { KafkaServer } from '@gridbourse/infra';
import { silentLogger } from '@gridbourse/observability';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type BenchmarkContext, defineBenchmark } from '../frame/benchmark.ts';
import { startPostgres } from '../frame/postgres.ts';
import { kafkaTools } from './kafka-tools.ts';
import { serviceOn } from './ours.ts';
import { rawKafkajs } from './raw-kafkajs.ts';
import { measure, type Measured, type Subject } from './subject.ts';

const PARTITIONS = 8;

const startKafka = async (context: BenchmarkContext): Promise<KafkaServer> => {
  const dir = mkdtempSync(join(tmpdir(), 'gridbourse-bench-kafka-'));
  context.defer(() => rmSync(dir, { recursive: true, force: true }));
  const server = await KafkaServer.start({ dir, heapMiB: 512 });
  context.defer(() => server.stop());
  return server;
};

const named = (name: string, found: Measured): Record<string, number> => ({
  [`${name}EventsPerSecond`]: found.eventsPerSecond,
  [`${name}LatencyMsP50`]: Math.round(found.latencyMsP50 * 10) / 10,
  [`${name}LatencyMsP99`]: Math.round(found.latencyMsP99 * 10) / 10,
});

/** Goals: Kafka with inbox at least 0.7 of raw kafkajs; p99 below 50 ms at 1,000 events a second. */
export const eventBusBenchmark = defineBenchmark({
  name: 'event-bus',
  summary: 'events through both adapters with the inbox, against raw kafkajs and the tools of Kafka itself',
  options: z.object({
    events: z.int().min(1_000).max(5_000_000).default(30_000).describe('events of the throughput run'),
    payloadBytes: z.int().min(1).max(500_000).default(500).describe('filler in each event'),
    ratePerSecond: z.int().min(100).max(100_000).default(1_000).describe('rate at which latency is measured'),
    seconds: z.int().min(1).max(600).default(10).describe('how long it is'),
  }),
  run: async (options, context) => {
    const [postgres, kafka] = [await startPostgres(context), await startKafka(context)];
    const run = async (name: string, subject: Subject): Promise<Measured> => {
      context.progress(`${name} …`);
      const found = await measure(subject, options);
      await subject.close();
      context.progress(`${name}: ${found.eventsPerSecond}/s, p99 ${found.latencyMsP99.toFixed(1)} ms`);
      return found;
    };
    const service = await postgres.createDatabase('service_kafka');
    const kafkaBus = new KafkaBus({
      config: kafkaConfig.parse({ brokers: kafka.bootstrap, partitions: PARTITIONS }),
      deadLetters: { databaseUrl: service },
      logger: silentLogger,
    });
    const raw = await run('raw kafkajs', await rawKafkajs(kafka.bootstrap, 'bench.raw', PARTITIONS));
    const ours = await run('kafka with inbox', await serviceOn(kafkaBus, service));
    const embeddedBus = new EmbeddedBus({
      databaseUrl: await postgres.createDatabase('bus'),
      partitions: PARTITIONS,
      logger: silentLogger,
    });
    const embedded = await run(
      'embedded with inbox',
      await serviceOn(embeddedBus, await postgres.createDatabase('service_embedded')),
    );
    const tools = await kafkaTools(kafka, { ...options, partitions: PARTITIONS });
    return {
      figures: { ...named('kafka', ours), ...named('embedded', embedded) },
      peers: {
        ...named('rawKafkajs', raw),
        kafkaToolProducedPerSecond: tools.produced,
        kafkaToolConsumedPerSecond: tools.consumed,
      },
      ratios: {
        kafkaToRawKafkajs: ours.eventsPerSecond / raw.eventsPerSecond,
        embeddedToRawKafkajs: embedded.eventsPerSecond / raw.eventsPerSecond,
        kafkaToKafkaToolProducer: ours.eventsPerSecond / tools.produced,
      },
    };
  },
});
