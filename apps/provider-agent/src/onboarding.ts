import { createHash } from 'node:crypto';
import { canonicalJson } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { computeAddress } from 'ethers';
import type { AgentMemory, Remembered } from './adapters/agent-memory.ts';
import type { Cluster } from './adapters/cluster.ts';
import { PlatformApi } from './adapters/platform-api.ts';
import { ensureStake } from './adapters/stake.ts';
import type { AgentConfig } from './config.ts';
import type { Machine } from './domain/machine.ts';
import { planOffers } from './domain/offers.ts';

const digest = (value: unknown): string => createHash('sha256').update(canonicalJson(value)).digest('hex');

/** Changes exactly when the platform or the chain has to be told something about who this provider is. */
export const identityOf = (config: AgentConfig): string =>
  digest({
    origin: config.platformOrigin,
    wallet: computeAddress(config.walletKey),
    provider: config.provider,
    kubeconfig: config.platformKubeconfig ?? config.kubeconfig,
    chain: config.chain,
  });

/** Changes when machines come or go or are other machines; not when one of them is unwell for a while. */
export const offersDigest = (machines: readonly Machine[], config: AgentConfig): string =>
  digest({
    prices: config.prices,
    machines: machines
      .map(({ name, gpu }) => ({ name, gpu: gpu && { product: gpu.product, capacity: gpu.capacity } }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  });

/**
 * Makes this provider known: account, registration, cluster, stake, offers. Every step may be repeated, so after a
 * failure the whole is simply done again.
 */
export class Onboarding {
  private readonly config: AgentConfig;
  private readonly cluster: Cluster;
  private readonly memory: AgentMemory;
  private readonly logger: Logger;

  constructor(config: AgentConfig, cluster: Cluster, memory: AgentMemory, logger: Logger) {
    this.config = config;
    this.cluster = cluster;
    this.memory = memory;
    this.logger = logger;
  }

  /** What the platform knows already, if that is still what we are. */
  known(): Remembered | null {
    const { current } = this.memory;
    return current?.identity === identityOf(this.config) ? current : null;
  }

  /** @throws DomainError of whichever part is away or refuses */
  async introduce(): Promise<Remembered> {
    const { config } = this;
    const platform = new PlatformApi(config.platformOrigin, config.walletKey);
    await platform.signIn();
    const providerId = await platform.register(config.provider);
    await platform.attachCluster(providerId, config.platformKubeconfig ?? config.kubeconfig);
    const [chainProviderId, machines] = await Promise.all([
      ensureStake(config, this.logger),
      this.cluster.machines(),
    ]);
    this.logger.info({ providerId, chainProviderId }, 'registered, staked');
    return this.publish(platform, providerId, machines);
  }

  /** Publishes the offers anew when the machines are others than before. */
  async refresh(known: Remembered, machines: readonly Machine[]): Promise<Remembered> {
    if (known.offers === offersDigest(machines, this.config)) return known;
    const platform = new PlatformApi(this.config.platformOrigin, this.config.walletKey);
    await platform.signIn();
    return this.publish(platform, known.providerId, machines);
  }

  forget(): void {
    this.memory.keep(null);
  }

  private async publish(
    platform: PlatformApi,
    providerId: string,
    machines: readonly Machine[],
  ): Promise<Remembered> {
    const { offers, leftOut } = planOffers(machines, this.config.prices);
    for (const { name, why } of leftOut) this.logger.warn({ machine: name, why }, 'a machine is not offered');
    const offerIds: string[] = [];
    for (const offer of offers) offerIds.push(await platform.publishOffer(providerId, offer));
    for (const offerId of this.memory.current?.offerIds ?? []) {
      if (!offerIds.includes(offerId)) await platform.withdrawOffer(providerId, offerId);
    }
    const remembered: Remembered = {
      providerId,
      identity: identityOf(this.config),
      offers: offersDigest(machines, this.config),
      offerIds,
      machines: machines.map(({ name }) => name),
    };
    this.memory.keep(remembered);
    this.logger.info({ providerId, offers: offerIds.length }, 'offers published');
    return remembered;
  }
}
