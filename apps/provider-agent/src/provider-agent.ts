import { setTimeout as pause } from 'node:timers/promises';
import { type Clock, DomainError, type Random, systemClock, systemRandom } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { AgentMemory, type Remembered } from './adapters/agent-memory.ts';
import { Cluster } from './adapters/cluster.ts';
import { AgentSession } from './agent-session.ts';
import { Bidder } from './bidder.ts';
import type { AgentConfig } from './config.ts';
import { Backoff } from './domain/backoff.ts';
import type { Machine } from './domain/machine.ts';
import { InventoryWatch } from './inventory-watch.ts';
import { Onboarding } from './onboarding.ts';

export type AgentStatus = {
  readonly providerId: string | null;
  /** The platform took our Hello on the stream that is open now, and a heartbeat was sent on it. */
  readonly connected: boolean;
  /** What stands in the way, in one sentence; null while all is well. */
  readonly trouble: string | null;
};

/**
 * A provider's agent: makes the provider known, then keeps one stream to the platform for ever. Whatever is away (the
 * platform, the chain, the cluster) is waited for.
 */
export class ProviderAgent {
  private readonly config: AgentConfig;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly backoff: Backoff;
  private readonly onboarding: Onboarding;
  private readonly inventory: InventoryWatch;
  private readonly bidder: Bidder | undefined;
  private readonly stopping = new AbortController();
  private session: AgentSession | undefined;
  private known: Remembered | null;
  private connected = false;
  private trouble: string | null = null;
  private refreshing: Promise<void> | undefined;
  private running: Promise<void> | undefined;

  constructor(config: AgentConfig, parts: { logger: Logger; clock?: Clock; random?: Random }) {
    this.config = config;
    this.clock = parts.clock ?? systemClock;
    this.logger = parts.logger;
    const random = parts.random ?? systemRandom;
    this.backoff = new Backoff(random, config.maxBackoffMs);
    if (config.bidding) {
      this.bidder = new Bidder(config, config.bidding.discountPercent, random, this.logger);
    }
    const cluster = new Cluster(config.kubeconfig);
    this.onboarding = new Onboarding(config, cluster, new AgentMemory(config.stateFile), this.logger);
    this.known = this.onboarding.known();
    this.inventory = new InventoryWatch({
      ...{ cluster, config, clock: this.clock, logger: this.logger },
      onSeen: (machines) => this.refresh(machines),
    });
  }

  get status(): AgentStatus {
    return { providerId: this.known?.providerId ?? null, connected: this.connected, trouble: this.trouble };
  }

  start(): void {
    if (this.running) return;
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.inventory.stop();
    this.session?.stop();
    await this.bidder?.stop();
    await this.running;
    await this.refreshing;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    await this.inventory.start();
    while (!signal.aborted) {
      try {
        this.known ??= await this.onboarding.introduce();
        if (!signal.aborted) await this.connect(this.known);
      } catch (error) {
        this.note(error);
      }
      this.connected = false;
      await pause(this.backoff.nextMs(), undefined, { signal }).catch(() => undefined);
    }
  }

  private async connect(known: Remembered): Promise<void> {
    this.session = new AgentSession({
      config: this.config,
      providerId: known.providerId,
      report: () => this.inventory.report(this.known?.machines ?? known.machines),
      clock: this.clock,
      logger: this.logger,
      onHeartbeat: () => {
        this.connected = true;
        this.bidder?.start();
        this.trouble = null;
        this.backoff.reset();
      },
    });
    const { refusal, error } = await this.session.run();
    this.connected = false;
    if (this.stopping.signal.aborted) return;
    if (refusal?.code === 'unknown_provider') {
      this.logger.warn(
        { providerId: known.providerId },
        'the platform does not know this provider: registering anew',
      );
      this.known = null;
      this.onboarding.forget();
    }
    this.trouble = refusal
      ? `refused: ${refusal.message}`
      : (error?.message ?? 'the platform ended the stream');
    this.logger.info({ reason: this.trouble }, 'the stream to the platform ended');
  }

  /** New machines become offers, and machines that are gone leave them. */
  private refresh(machines: readonly Machine[]): void {
    const { known } = this;
    if (!known || !this.connected || this.refreshing) return;
    this.refreshing = this.onboarding
      .refresh(known, machines)
      .then((refreshed) => {
        if (this.known === known) this.known = refreshed;
      })
      .catch((error: unknown) =>
        this.logger.warn({ err: error }, 'the offers could not be brought up to date'),
      )
      .finally(() => (this.refreshing = undefined));
  }

  private note(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message !== this.trouble) {
      const expected = error instanceof DomainError && error.kind === 'unavailable';
      if (expected) this.logger.info({ reason: message }, 'waiting');
      else this.logger.error({ err: error }, 'this provider cannot be made known yet');
    }
    this.trouble = message;
  }
}
