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
import { median, percentile, rounded } from '../frame/statistics.ts';
import { Driver } from './subject.ts';

const PARTITIONS = 8;

const startKafka = async (context: BenchmarkContext): Promise<KafkaServer> => {
  const dir = mkdtempSync(join(tmpdir(), 'gridbourse-bench-kafka-'));
  context.defer(() => rmSync(dir, { recursive: true, force: true }));
  const server = await KafkaServer.start({ dir, heapMiB: 512 });
  context.defer(() => server.stop());
  return server;
};

const SUBJECTS = ['raw kafkajs', 'kafka with inbox', 'embedded with inbox'] as const;
type Name = (typeof SUBJECTS)[number];
type Measured = { readonly eventsPerSecond: number[]; readonly latenciesMs: number[] };

const named = (name: string, { eventsPerSecond, latenciesMs }: Measured): Record<string, number> => ({
  [`${name}EventsPerSecond`]: median(eventsPerSecond),
  [`${name}EventsPerSecondMin`]: Math.min(...eventsPerSecond),
  [`${name}EventsPerSecondMax`]: Math.max(...eventsPerSecond),
  [`${name}LatencyMsP50`]: rounded(percentile(latenciesMs, 0.5)),
  [`${name}LatencyMsP99`]: rounded(percentile(latenciesMs, 0.99)),
});

/** Round by round, so that what else the machine does falls on all alike. */
const ratioOf = (ours: Measured, peer: Measured): number =>
  median(ours.eventsPerSecond.map((perSecond, round) => perSecond / peer.eventsPerSecond[round]!));

/** Goals: Kafka with inbox at least 0.7 of raw kafkajs; p99 below 50 ms at 1,000 events a second. */
export const eventBusBenchmark = defineBenchmark({
  name: 'event-bus',
  summary: 'events through both adapters with the inbox, against raw kafkajs and the tools of Kafka itself',
  options: z.object({
    events: z.int().min(1_000).max(5_000_000).default(30_000).describe('events of one flood'),
    rounds: z
      .int()
      .min(1)
      .max(100)
      .default(7)
      .describe('floods of each, in turn, after one to warm up; medians count'),
    payloadBytes: z.int().min(1).max(500_000).default(500).describe('filler in each event'),
    ratePerSecond: z.int().min(100).max(100_000).default(1_000).describe('rate at which latency is measured'),
    seconds: z.int().min(1).max(600).default(10).describe('how long it is'),
  }),
  run: async (options, context) => {
    const [postgres, kafka] = [await startPostgres(context), await startKafka(context)];
    const service = await postgres.createDatabase('service_kafka');
    const kafkaBus = new KafkaBus({
      config: kafkaConfig.parse({ brokers: kafka.bootstrap, partitions: PARTITIONS }),
      deadLetters: { databaseUrl: service },
      logger: silentLogger,
    });
    const embeddedBus = new EmbeddedBus({
      databaseUrl: await postgres.createDatabase('bus'),
      partitions: PARTITIONS,
      logger: silentLogger,
    });
    const drivers: Record<Name, Driver> = {
      'raw kafkajs': new Driver(
        await rawKafkajs(kafka.bootstrap, 'bench.raw', PARTITIONS),
        options.payloadBytes,
      ),
      'kafka with inbox': new Driver(await serviceOn(kafkaBus, service), options.payloadBytes),
      'embedded with inbox': new Driver(
        await serviceOn(embeddedBus, await postgres.createDatabase('service_embedded')),
        options.payloadBytes,
      ),
    };
    const found = {} as Record<Name, Measured>;
    for (const name of SUBJECTS) {
      found[name] = { eventsPerSecond: [], latenciesMs: [] };
      await drivers[name].flood(options.events);
    }
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const name of SUBJECTS)
        found[name].eventsPerSecond.push(await drivers[name].flood(options.events));
      const line = SUBJECTS.map((name) => `${name} ${found[name].eventsPerSecond.at(-1)}/s`);
      context.progress(`round ${round}: ${line.join(', ')}`);
    }
    for (const name of SUBJECTS) {
      const latencies = await drivers[name].steady(options.ratePerSecond, options.seconds);
      found[name].latenciesMs.push(...latencies);
      context.progress(`${name}: p99 ${percentile(latencies, 0.99).toFixed(1)} ms`);
    }
    for (const name of SUBJECTS) await drivers[name].close();
    const tools = await kafkaTools(kafka, { ...options, partitions: PARTITIONS });
    const [raw, ours, embedded] = SUBJECTS.map((name) => found[name]) as [Measured, Measured, Measured];
    return {
      figures: { ...named('kafka', ours), ...named('embedded', embedded) },
      peers: {
        ...named('rawKafkajs', raw),
        kafkaToolProducedPerSecond: tools.produced,
        kafkaToolConsumedPerSecond: tools.consumed,
      },
      ratios: {
        kafkaToRawKafkajs: ratioOf(ours, raw),
        embeddedToRawKafkajs: ratioOf(embedded, raw),
        kafkaToKafkaToolProducer: median(ours.eventsPerSecond) / tools.produced,
      },
    };
  },
});
