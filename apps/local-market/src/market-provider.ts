import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MarketProvider } from '@gridbourse/catalog';
import { devKey } from '@gridbourse/infra';
import { type KubeSim, startKubeSim } from '@gridbourse/kube-sim';
import type { Logger } from '@gridbourse/observability';
import { type AgentConfig, agentConfig, ProviderAgent } from '@gridbourse/provider-agent';
import { MARKET_FOLDER, type MarketSettings, type ProviderView } from '@gridbourse/local-platform';
import { discountOf, nodesOf, pricesOf, storageClassesOf } from './provider-parts.ts';

/** The development key of the first provider; the others follow. */
export const FIRST_PROVIDER_KEY = 10;
const STAKE_MICROS = '1000000000';

/** One provider of the local market: its cluster and, beside it, its agent. */
export class RunningProvider {
  private readonly provider: MarketProvider;
  private readonly cluster: KubeSim;
  private readonly config: AgentConfig;
  private readonly logger: Logger;
  private agent: ProviderAgent;
  private up = true;
  /** Kill and revive come one after the other, whoever asks. */
  private turn: Promise<void> = Promise.resolve();

  private constructor(provider: MarketProvider, cluster: KubeSim, config: AgentConfig, logger: Logger) {
    this.provider = provider;
    this.cluster = cluster;
    this.config = config;
    this.logger = logger;
    this.agent = new ProviderAgent(config, { logger });
    this.agent.start();
  }

  /** Continues with what is in `<dataDir>/market/<key>`, on the port it had, if that is free. */
  static async start(
    provider: MarketProvider,
    keyIndex: number,
    settings: MarketSettings,
    logger: Logger,
  ): Promise<RunningProvider> {
    const folder = join(settings.dataDir, MARKET_FOLDER, provider.key);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const cluster = await startCluster(provider, folder, logger);
    const config = agentConfig.parse({
      platformOrigin: settings.platformOrigin,
      grpcTarget: settings.grpcTarget,
      grpcPlaintext: true,
      walletKey: devKey(keyIndex).privateKey,
      provider: { name: provider.name, place: provider.place, attributes: provider.attributes },
      kubeconfig: cluster.kubeconfig,
      chain: {
        rpcUrl: settings.rpcUrl,
        chainId: settings.deployment.chainId,
        providerRegistry: settings.deployment.contracts.ProviderRegistry,
        token: settings.deployment.contracts.TestUSDC,
        stakeMicros: STAKE_MICROS,
        mintStake: true,
      },
      prices: pricesOf(provider),
      bidding: { discountPercent: discountOf(provider) },
      stateFile: join(folder, 'agent.json'),
      inventoryEveryMs: 2_000,
      inventoryStaleMs: 5_000,
      maxBackoffMs: 1_000,
    });
    return new RunningProvider(provider, cluster, config, logger);
  }

  get view(): ProviderView {
    const { key, name } = this.provider;
    const { providerId, connected, trouble } = this.agent.status;
    return {
      name,
      key,
      providerId,
      clusterUrl: this.cluster.url,
      up: this.up,
      connected: this.up && connected,
      trouble,
    };
  }

  /** As a power cut does: no heartbeats, no cluster. What runs in the cluster is cut off, not ended. */
  kill(): Promise<void> {
    return this.next(async () => {
      if (!this.up) return;
      this.up = false;
      await Promise.all([this.agent.stop(), this.cluster.faults.takeDown('refuse')]);
    });
  }

  revive(): Promise<void> {
    return this.next(async () => {
      if (this.up) return;
      await this.cluster.faults.bringUp();
      this.agent = new ProviderAgent(this.config, { logger: this.logger });
      this.agent.start();
      this.up = true;
    });
  }

  stop(): Promise<void> {
    return this.next(async () => {
      await this.agent.stop();
      await this.cluster.close();
    });
  }

  private next(work: () => Promise<void>): Promise<void> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }
}

const startCluster = async (provider: MarketProvider, folder: string, logger: Logger): Promise<KubeSim> => {
  const portFile = join(folder, 'port');
  const start = (port: number): Promise<KubeSim> =>
    startKubeSim({
      name: provider.key,
      nodes: nodesOf(provider),
      storageClasses: storageClassesOf(provider),
      stateFile: join(folder, 'cluster.jsonl'),
      port,
      onError: (error, what) =>
        logger.error({ err: error, cluster: provider.key, what }, 'a controller failed'),
    });
  const cluster = await start(rememberedPort(portFile)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    return start(0);
  });
  writeFileSync(portFile, new URL(cluster.url).port);
  return cluster;
};

const rememberedPort = (file: string): number => {
  try {
    return Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    return 0; // the first start
  }
};
