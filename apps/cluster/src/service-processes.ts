import type { ServiceName } from '@gridbourse/api';
import { type DataDir, freePort, ManagedProcess } from '@gridbourse/infra';
import {
  databaseOf,
  ensureSealingKey,
  type Ground,
  linksOf,
  originOf,
  PROCESS_FOLDER,
  PROJECT_ROOT,
  type Run,
  SERVICE_NAMES,
} from '@gridbourse/local-platform';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { gatewayConfigOf, hasGrpc, type Listener, serviceConfigs, type Site } from './service-configs.ts';

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 10_000;
const CALL_DEADLINE_MS = 1_000;
const HOST = '127.0.0.1';

/** Where the parts are that only a cluster has. */
export type Backbone = { readonly kafkaBrokers: readonly string[]; readonly redisUrl: string };

const answers = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(CALL_DEADLINE_MS) })).ok;
  } catch {
    return false;
  }
};

/** Names the configuration file of a program to it. */
const variableOf = (name: string): string => `GRIDBOURSE_${name.replace(/-/g, '_').toUpperCase()}_CONFIG`;

/** A program of this checkout as a process that takes its whole configuration from a file. */
const nodeProcess = (
  dir: DataDir,
  program: { name: string; entry: string; config: object; healthUrl: string },
): ManagedProcess => {
  const { name, entry, config, healthUrl } = program;
  mkdirSync(dir.file('config'), { recursive: true, mode: 0o700 });
  dir.write(join('config', `${name}.json`), config);
  return new ManagedProcess({
    name,
    word: entry,
    command: process.execPath,
    args: ['--enable-source-maps', '--disable-warning=ExperimentalWarning', join(PROJECT_ROOT, entry)],
    env: { ...process.env, [variableOf(name)]: dir.file('config', `${name}.json`) },
    cwd: PROJECT_ROOT,
    stateDir: dir.file(PROCESS_FOLDER),
    logFile: dir.file('logs', `${name}.log`),
    ready: () => answers(healthUrl),
    startDeadlineMs: START_DEADLINE_MS,
    stopDeadlineMs: STOP_DEADLINE_MS,
  });
};

const listenerHere = async (service: ServiceName): Promise<Listener> => {
  const httpPort = await freePort();
  const grpcPort = hasGrpc(service) ? await freePort() : 0;
  return { host: HOST, httpPort, grpcPort, origin: `http://${HOST}:${httpPort}` };
};

/** The five services and the gateway, each ready to be started as a process of its own. */
export const serviceProcesses = async (
  run: Run,
  ground: Ground,
  backbone: Backbone,
): Promise<{ services: ManagedProcess[]; gateway: ManagedProcess }> => {
  const { dir, settings } = run;
  const listeners = new Map<ServiceName, Listener>();
  for (const name of SERVICE_NAMES) listeners.set(name, await listenerHere(name));
  const publicOrigin = originOf(settings);
  const site: Site = {
    publicOrigin,
    gatewayUrl: publicOrigin,
    rpcUrl: ground.chain.url,
    publicRpcUrl: ground.chain.url,
    deployment: ground.deployment,
    sealingKey: await ensureSealingKey(dir),
    ...backbone,
    trustedProxies: [HOST],
    logLevel: settings.logLevel,
    databaseUrl: (service) => ground.postgres.url(databaseOf(service)),
    listener: (service) => listeners.get(service)!,
  };
  const configs = serviceConfigs(site);
  const services = SERVICE_NAMES.map((name) =>
    nodeProcess(dir, {
      name,
      entry: `services/${name}/dist/main.js`,
      config: configs[name],
      healthUrl: `${listeners.get(name)!.origin}/health/ready`,
    }),
  );
  const gateway = nodeProcess(dir, {
    name: 'gateway',
    entry: 'apps/gateway/dist/main.js',
    config: gatewayConfigOf(site, {
      host: HOST,
      port: settings.port,
      grpcPort: settings.grpcPort,
      links: linksOf(settings, ground.chain.url),
    }),
    healthUrl: `${publicOrigin}/health/ready`,
  });
  return { services, gateway };
};
