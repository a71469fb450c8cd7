import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { KafkaServer, type KafkaServerOptions } from '@gridbourse/infra';

/** A real broker for a test. */
export type TestKafka = {
  readonly bootstrap: string;
  /** Only a broker of our own can be killed and started again. */
  readonly server: KafkaServer | null;
  stop(): Promise<void>;
};

const hasEngine = (): boolean =>
  spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], { stdio: 'ignore', timeout: 10_000 })
    .status === 0;

/** A broker of our own in a folder that is erased afterwards. */
export const nativeKafka = async (
  options: Omit<KafkaServerOptions, 'dir'> = {},
): Promise<TestKafka & { readonly server: KafkaServer }> => {
  const dir = mkdtempSync(join(tmpdir(), 'gridbourse-kafka-'));
  const server = await KafkaServer.start({ ...options, dir });
  return {
    bootstrap: server.bootstrap,
    server,
    stop: async () => {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
};

const containerKafka = async (): Promise<TestKafka> => {
  const { KafkaContainer } = await import('@testcontainers/kafka');
  const container = await new KafkaContainer('confluentinc/cp-kafka:8.1.0').withKraft().start();
  return {
    bootstrap: `${container.getHost()}:${container.getMappedPort(9093)}`,
    server: null,
    stop: async () => void (await container.stop()),
  };
};

/** True when tests may stop and kill the broker: not where an address is given, nor with a container. */
export const ownsKafka = (): boolean => !process.env['GRIDBOURSE_TEST_KAFKA'] && !hasEngine();

/** The address of GRIDBOURSE_TEST_KAFKA, else a container where there is an engine, else a broker of our own. */
export const testKafka = async (): Promise<TestKafka> => {
  const given = process.env['GRIDBOURSE_TEST_KAFKA'];
  if (given) return { bootstrap: given, server: null, stop: () => Promise.resolve() };
  return hasEngine() ? containerKafka() : nativeKafka();
};
