import { type ManagedProcess, RedisServer } from '@gridbourse/infra';
import { localMarketProgram } from '@gridbourse/local-market';
import {
  beginMarket,
  type Ground,
  openForBusiness,
  runProgram,
  type Run,
  SERVICE_NAMES,
  startGround,
} from '@gridbourse/local-platform';
import { startKafka } from './local-kafka.ts';
import { serviceProcesses } from './service-processes.ts';

/** Six Node processes and a Java one end more slowly than one process does. */
const STOP_DEADLINE_MS = 30_000;

const superviseAlso = (ground: Ground, one: ManagedProcess): void => {
  ground.supervised.push({ name: one.name, alive: () => one.alive, restart: () => one.start() });
};

/** The parts that a cluster has beside the ground: Kafka and Redis, started side by side. */
const startBackbone = async (run: Run, ground: Ground) => {
  const [kafka, redis] = await Promise.all([
    startKafka(run.dir),
    RedisServer.start({ dir: run.dir.file('redis'), persistent: true }),
  ]);
  run.onStop('redis', () => redis.stop());
  run.onStop('kafka', () => kafka.stop());
  ground.supervised.push(
    { name: 'kafka', alive: () => kafka.alive, restart: () => kafka.launch() },
    { name: 'redis', alive: () => redis.alive, restart: () => redis.ensureRunning() },
  );
  run.progress.done('bus', `Kafka at ${kafka.bootstrap}`);
  run.progress.done('key-value', `Redis at 127.0.0.1:${redis.port}`);
  return { kafkaBrokers: [kafka.bootstrap], redisUrl: redis.url };
};

/** The whole platform on this machine, each service a process of its own, joined by real Kafka. */
export const runCluster = (): Promise<void> =>
  runProgram({
    name: 'cluster',
    dataFolder: '.gridbourse-cluster',
    stopDeadlineMs: STOP_DEADLINE_MS,
    start: async (run) => {
      const ground = await startGround(run, []);
      const backbone = await startBackbone(run, ground);
      const market = beginMarket(run, ground, localMarketProgram);
      const { services, gateway } = await serviceProcesses(run, ground, backbone);
      run.onStop('services', async () => void (await Promise.all(services.map((one) => one.stop()))));
      await Promise.all(services.map((one) => one.start()));
      for (const one of services) superviseAlso(ground, one);
      run.progress.done('services', `${SERVICE_NAMES.join(', ')}: a process each`);
      run.onStop('gateway', () => gateway.stop());
      await gateway.start();
      superviseAlso(ground, gateway);
      run.progress.done('gateway', 'one public origin');
      await openForBusiness(run, ground, market);
    },
  });
