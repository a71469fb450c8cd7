import 'reflect-metadata';
import {
  type DataDir,
  EmbeddedPostgres,
  explainStartError,
  isFree,
  LOCAL_CHAIN_ID,
  LocalChain,
  openDataDir,
  StartError,
  type Supervised,
  superviseProcesses,
} from '@gridbourse/infra';
import { localMarketProgram } from '@gridbourse/local-market';
import {
  databaseOf,
  ensureContracts,
  ensureDemoTenant,
  ensureMarket,
  GrpcGateway,
  HttpGateway,
  type LocalMarket,
  Progress,
  readSettings,
  SERVICE_NAMES,
  type Settings,
  showAddresses,
} from '@gridbourse/local-platform';
import { configureLogging, createLogger } from '@gridbourse/observability';
import { BUS_DATABASE, startPlatform } from './platform.ts';

const STOP_DEADLINE_MS = 9_500;
const MARKET_DEADLINE_MS = 60_000;

/** What was started, in order; stopped in the opposite order. */
type Stop = { name: string; stop: () => Promise<void> };

const demandFreePorts = async (settings: Settings): Promise<void> => {
  const wanted = [
    ['GRIDBOURSE_PORT', settings.port],
    ['GRIDBOURSE_GRPC_PORT', settings.grpcPort],
    ['GRIDBOURSE_CHAIN_PORT', settings.chainPort],
  ] as const;
  for (const [name, port] of wanted) {
    if (!(await isFree(port))) {
      throw new StartError(
        `Port ${port} is taken by another program.`,
        `Stop that program, or choose another port: ${name}=${port + 1000} npm start`,
      );
    }
  }
};

const start = async (settings: Settings, dir: DataDir, stops: Stop[], progress: Progress): Promise<void> => {
  const logger = createLogger('standalone');
  const postgres = await EmbeddedPostgres.start(dir);
  stops.push({ name: 'database', stop: () => postgres.stop() });
  await postgres.createDatabases([...SERVICE_NAMES.map(databaseOf), BUS_DATABASE]);
  progress.done('database', 'Postgres 18, one database a service');

  const chain = await LocalChain.start(dir, logger, settings.chainPort);
  stops.push({ name: 'chain', stop: () => chain.stop() });
  const deployment = await ensureContracts(dir, chain);
  progress.done('chain', `ComputeMarket at ${deployment.contracts.ComputeMarket}`);

  const supervised: Supervised[] = [
    { name: 'postgres', alive: () => postgres.alive, restart: () => postgres.ensureRunning() },
    { name: 'chain', alive: () => chain.alive, restart: () => chain.ensureRunning() },
  ];
  const supervisor = superviseProcesses(supervised, logger);

  const origin = `http://127.0.0.1:${settings.port}`;
  // The market comes up beside the services: it waits for them by itself.
  const marketStarting =
    settings.market === 'on'
      ? ensureMarket({
          dir,
          program: localMarketProgram,
          logger,
          platformOrigin: origin,
          grpcTarget: `127.0.0.1:${settings.grpcPort}`,
          rpcUrl: chain.url,
          deployment,
        })
      : undefined;
  marketStarting?.catch(() => undefined); // told where it is awaited

  const platform = await startPlatform({
    dir,
    settings,
    logger,
    databaseUrl: (database) => postgres.url(database),
    chainUrl: chain.url,
    deployment,
  });
  stops.push({ name: 'services', stop: () => platform.close() });
  const grpc = new GrpcGateway(platform.services, logger);
  await grpc.listen(settings.grpcPort);
  stops.push({ name: 'gRPC', stop: () => grpc.close() });
  const http = new HttpGateway(platform.services, {
    api: `${origin}/v1`,
    docs: `${origin}/docs`,
    openapi: `${origin}/openapi.json`,
    health: `${origin}/health/ready`,
    grpc: `127.0.0.1:${settings.grpcPort}`,
    chain: chain.url,
  });
  await http.listen(settings.port);
  stops.push({ name: 'HTTP', stop: () => http.close() });
  progress.done('services', SERVICE_NAMES.join(', '));

  const tenant = await ensureDemoTenant(dir, origin);
  let market: LocalMarket | undefined;
  if (marketStarting) {
    market = await marketStarting;
    const running = market;
    supervised.push({ name: 'market', alive: () => running.alive, restart: () => running.ensureRunning() });
    stops.push({ name: 'market', stop: () => running.stop() });
    const online = await market.untilOnline(MARKET_DEADLINE_MS);
    progress.done('market', `${online.online} of ${online.total} providers online`);
  }
  // Last in, first out: nothing may be started again while it is being stopped.
  stops.push({ name: 'supervisor', stop: () => supervisor.stop() });

  showAddresses(progress, {
    origin,
    grpc: `127.0.0.1:${settings.grpcPort}`,
    chain: chain.url,
    chainId: LOCAL_CHAIN_ID,
    dataDir: dir.path,
    market: market ? `control at ${market.controlUrl}` : 'off',
    tenant,
  });
  progress.say('READY');
};

const main = async (): Promise<void> => {
  const progress = new Progress();
  const stops: Stop[] = [];
  let dir: DataDir | undefined;
  let stopping = false;

  const stopAll = async (): Promise<void> => {
    for (const { name, stop } of stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        createLogger('standalone').error({ err: error, part: name }, 'a part did not stop cleanly');
      }
    }
    dir?.release();
  };
  const onSignal = (signal: string): void => {
    if (stopping) process.exit(130);
    stopping = true;
    progress.say(`\n  ${signal}: stopping (once more to leave at once)`);
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
    void stopAll().then(() => {
      progress.say('  stopped; all data is kept');
      process.exit(0);
    });
  };
  process.on('SIGINT', () => onSignal('Ctrl-C'));
  process.on('SIGTERM', () => onSignal('SIGTERM'));
  process.on('SIGHUP', () => onSignal('The terminal was closed'));
  // Whoever read what we say may be gone (a closed terminal, `| head`): no reason to fall over, least of all while
  // everything is being stopped.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

  try {
    const settings = readSettings(process.env);
    dir = openDataDir(settings.dataDir, 'standalone');
    configureLogging({ level: settings.logLevel, file: dir.file('logs', 'gridbourse.log') });
    await demandFreePorts(settings);
    progress.say(`\n  Gridbourse  (log: ${dir.file('logs', 'gridbourse.log')})\n`);
    await start(settings, dir, stops, progress);
  } catch (error) {
    if (stopping) return;
    stopping = true;
    const explained = explainStartError(error);
    if (explained instanceof StartError) progress.failed(explained.message, explained.advice);
    else {
      createLogger('standalone').error({ err: error }, 'start failed');
      progress.failed(
        `Gridbourse does not start: ${error instanceof Error ? error.message : String(error)}`,
        'The log above has the details; npm run reset begins anew.',
      );
      if (error instanceof Error) process.stderr.write(`${error.stack}\n`);
    }
    await stopAll();
    process.exit(1);
  }
};

await main();
