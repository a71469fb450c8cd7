import { LOCAL_CHAIN_ID } from '@gridbourse/infra';
import type { Ground } from './ground.ts';
import { ensureDemoTenant, ensureLocalOperator } from './local-accounts.ts';
import { ensureMarket, type LocalMarket, type MarketProgram } from './market/supervise.ts';
import { showAddresses } from './progress.ts';
import type { Run } from './run.ts';
import type { Settings } from './settings.ts';

const MARKET_DEADLINE_MS = 60_000;

export const originOf = (settings: Settings): string => `http://127.0.0.1:${settings.port}`;
export const grpcAddressOf = (settings: Settings): string => `127.0.0.1:${settings.grpcPort}`;

/** What the public origin shows at `/`. */
export const linksOf = (settings: Settings, chainUrl: string): Record<string, string> => {
  const origin = originOf(settings);
  return {
    api: `${origin}/v1`,
    docs: `${origin}/docs`,
    openapi: `${origin}/openapi.json`,
    asyncapi: `${origin}/asyncapi.json`,
    health: `${origin}/health/ready`,
    grpc: grpcAddressOf(settings),
    chain: chainUrl,
  };
};

/** Begins to bring the local market up beside the services, for which it waits by itself; null when it is switched off. */
export const beginMarket = (
  run: Run,
  ground: Ground,
  program: MarketProgram,
): Promise<LocalMarket> | null => {
  if (run.settings.market === 'off') return null;
  const starting = ensureMarket({
    dir: run.dir,
    program,
    logger: run.logger,
    platformOrigin: originOf(run.settings),
    grpcTarget: grpcAddressOf(run.settings),
    rpcUrl: ground.chain.url,
    deployment: ground.deployment,
  });
  starting.catch(() => undefined); // told where it is awaited
  return starting;
};

/** The last steps of a start: the demo tenant, the market's providers online, and what to type next. */
export const openForBusiness = async (
  run: Run,
  ground: Ground,
  market: Promise<LocalMarket> | null,
): Promise<void> => {
  const { settings, dir, progress } = run;
  const origin = originOf(settings);
  const [tenant] = await Promise.all([ensureDemoTenant(dir, origin), ensureLocalOperator(dir, origin)]);
  const running = await market;
  if (running) {
    ground.supervised.push({
      name: 'market',
      alive: () => running.alive,
      restart: () => running.ensureRunning(),
    });
    run.onStop('market', () => running.stop());
    const online = await running.untilOnline(MARKET_DEADLINE_MS);
    progress.done('market', `${online.online} of ${online.total} providers online`);
  }
  // Last in, first out: nothing may be started again while it is being stopped.
  run.onStop('supervisor', ground.endSupervision);
  showAddresses(progress, {
    origin,
    grpc: grpcAddressOf(settings),
    chain: ground.chain.url,
    chainId: LOCAL_CHAIN_ID,
    dataDir: dir.path,
    market: running ? `control at ${running.controlUrl}` : 'off',
    tenant,
  });
  progress.say('READY');
};
