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
      .map(({ name, gpu }) => ({
        name,
        gpu: gpu && { product: gpu.product, capacity: gpu.capacity, sharing: gpu.sharing },
      }))
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
  private attached = '';

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

  /**
   * The stake comes last: from then on the platform counts this provider in, so everything else must be there.
   * @throws DomainError of whichever part is away or refuses
   */
  async introduce(): Promise<Remembered> {
    const { config } = this;
    const platform = new PlatformApi(config.platformOrigin, config.walletKey);
    await platform.signIn();
    const providerId = await platform.register(config.provider);
    await this.attach(platform, providerId);
    const remembered = await this.publish(platform, providerId, await this.cluster.machines());
    const chainProviderId = await ensureStake(config, this.logger);
    this.logger.info({ providerId, chainProviderId }, 'known to the platform, staked on chain');
    this.memory.keep(remembered);
    return remembered;
  }

  /** Publishes the offers anew when the machines are others than before. */
  async refresh(known: Remembered, machines: readonly Machine[]): Promise<Remembered> {
    if (known.offers === offersDigest(machines, this.config)) return known;
    const platform = new PlatformApi(this.config.platformOrigin, this.config.walletKey);
    await platform.signIn();
    const remembered = await this.publish(platform, known.providerId, machines);
    this.memory.keep(remembered);
    return remembered;
  }

  forget(): void {
    this.attached = '';
    this.memory.keep(null);
  }

  /** Each time would be an event of its own: once is enough, however often the rest has to be tried. */
  private async attach(platform: PlatformApi, providerId: string): Promise<void> {
    const kubeconfig = this.config.platformKubeconfig ?? this.config.kubeconfig;
    const attached = digest({ providerId, kubeconfig });
    if (attached === this.attached) return;
    await platform.attachCluster(providerId, kubeconfig);
    this.attached = attached;
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
    this.logger.info({ providerId, offers: offerIds.length }, 'offers published');
    return remembered;
  }
}
