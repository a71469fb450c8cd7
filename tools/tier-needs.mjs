// What a tier needs that npm does not bring, in the order in which the tests look for it: an address given by the
// environment, a container engine (testcontainers), a program of this machine.
import { spawnSync } from 'node:child_process';

const answers = (command, args) =>
  spawnSync(command, args, { stdio: 'ignore', timeout: 10_000 }).status === 0;

let engine;
const hasEngine = () => (engine ??= answers('docker', ['info', '--format', '{{.ServerVersion}}']));

const kafka = () =>
  process.env.GRIDBOURSE_TEST_KAFKA ||
  hasEngine() ||
  (answers('java', ['-version']) && answers('mvn', ['-v']))
    ? null
    : 'needs Kafka: set GRIDBOURSE_TEST_KAFKA=host:port, or have a container engine, or Java 17 and Maven';

const redis = () =>
  process.env.GRIDBOURSE_TEST_REDIS || hasEngine() || answers('redis-server', ['--version'])
    ? null
    : 'needs Redis: set GRIDBOURSE_TEST_REDIS=redis://host:port, or have a container engine, or redis-server';

/** What is missing for a tier on this machine, as a sentence; null when it can run. */
export const missingFor = (tier) => {
  if (tier === 'kafka') return kafka();
  if (tier === 'redis') return redis();
  if (tier === 'cluster') return kafka() ?? redis();
  return null;
};
