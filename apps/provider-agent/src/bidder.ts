import { setTimeout as pause } from 'node:timers/promises';
import { DomainError, type Random } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { PlatformApi } from './adapters/platform-api.ts';
import type { AgentConfig } from './config.ts';
import { Backoff } from './domain/backoff.ts';
import { type OpenAuction, planBids, type PlannedBid } from './domain/bids.ts';

/** How long the platform may hold back the answer that there is no auction. */
const WAIT_SECONDS = 20;
/** Between two looks while there are auctions. */
const LOOK_EVERY_MS = 500;

const nameOf = ({ orderId, group, offerId }: PlannedBid): string => `${orderId}/${group}/${offerId}`;

/** Bids in auctions by the provider's discount, and goes on for ever: what is away is waited for. */
export class Bidder {
  private readonly platform: PlatformApi;
  private readonly backoff: Backoff;
  private readonly stopping = new AbortController();
  /** Bids that were refused, while their auctions last: asking again would change nothing. */
  private refused: ReadonlySet<string> = new Set();
  private running: Promise<void> | undefined;

  constructor(
    config: AgentConfig,
    private readonly discountPercent: number,
    random: Random,
    private readonly logger: Logger,
  ) {
    this.platform = new PlatformApi(config.platformOrigin, config.walletKey);
    this.backoff = new Backoff(random, config.maxBackoffMs);
  }

  start(): void {
    this.running ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    let signedIn = false;
    while (!signal.aborted) {
      let restMs = LOOK_EVERY_MS;
      try {
        if (!signedIn) await this.platform.signIn();
        signedIn = true;
        await this.bidIn(await this.platform.auctions(WAIT_SECONDS, signal));
        this.backoff.reset();
      } catch (error) {
        signedIn &&= !(error instanceof DomainError && error.kind === 'unauthenticated');
        restMs = this.backoff.nextMs();
        if (!signal.aborted) this.logger.debug({ err: error }, 'auctions cannot be followed now');
      }
      await pause(restMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private async bidIn(auctions: readonly OpenAuction[]): Promise<void> {
    const { signal } = this.stopping;
    const planned = planBids(auctions, this.discountPercent);
    const refused = new Set(planned.map(nameOf).filter((name) => this.refused.has(name)));
    this.refused = refused;
    for (const bid of planned) {
      if (refused.has(nameOf(bid))) continue;
      try {
        await this.platform.placeBid(bid, signal);
        this.logger.info({ ...bid }, 'bid placed');
      } catch (error) {
        const final =
          error instanceof DomainError && ['invalid', 'conflict', 'not_found'].includes(error.kind);
        if (!final) throw error;
        refused.add(nameOf(bid));
        this.logger.info({ ...bid, reason: error.message }, 'a bid was refused');
      }
    }
  }
}
