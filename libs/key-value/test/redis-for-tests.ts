import { RedisServer } from '@gridbourse/infra';
import { spawnSync } from 'node:child_process';
import { GenericContainer } from 'testcontainers';

export type RedisForTests = { readonly url: string; stop(): Promise<void> };

const hasEngine = (): boolean =>
  spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 10_000 }).status === 0;

/**
 * A real Redis: the one that GRIDBOURSE_TEST_REDIS names (tests keep to prefixes of their own), one in a container where
 * there is an engine, or this machine's redis-server.
 */
export const redisForTests = async (): Promise<RedisForTests> => {
  const given = process.env['GRIDBOURSE_TEST_REDIS'];
  if (given) return { url: given, stop: () => Promise.resolve() };
  if (hasEngine()) {
    const container = await new GenericContainer('redis:7.4-alpine').withExposedPorts(6379).start();
    return {
      url: `redis://${container.getHost()}:${container.getMappedPort(6379)}`,
      stop: async () => void (await container.stop()),
    };
  }
  const server = await RedisServer.start();
  return { url: server.url, stop: () => server.stop() };
};
