import { CLOCK, LOGGER, PeriodicTasks, SERVICE_CONFIG } from '@gridbourse/api';
import type { Clock, Instant } from '@gridbourse/kernel';
import { isStoreTrouble } from '@gridbourse/key-value';
import type { Logger } from '@gridbourse/observability';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { judgeSilence, type Judgement, type Watched } from '../../domain/liveness.ts';
import type { RegistryConfig } from '../../registry.config.ts';
import { AgentHub } from './agent-hub.ts';
import { Sightings } from './sightings.ts';
import { TelemetryMetrics } from './telemetry-metrics.ts';
import type { TrackedProvider } from './tracked-provider.ts';

/** Changes of one turn are written down so many at a time. */
const PARALLEL = 8;

/** Says who has been silent for too long, and holds its tongue when it is we who hear nothing. */
@Injectable()
export class SilenceWatch implements OnApplicationBootstrap {
  /** Since when silence is theirs and not ours. */
  private sightedSinceMs: Instant;
  private lastTurnMs: Instant;
  private lastLookMs: Instant;
  private frozen = false;
  private blind = false;
  private dark = 0;

  constructor(
    private readonly hub: AgentHub,
    private readonly sightings: Sightings,
    private readonly tasks: PeriodicTasks,
    metrics: TelemetryMetrics,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: RegistryConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.sightedSinceMs = clock.now();
    this.lastTurnMs = clock.now();
    this.lastLookMs = clock.now();
    metrics.observe(
      'gridbourse_registry_dark_providers',
      'Providers that should be heard of and are not',
      () => this.dark,
    );
    metrics.observe(
      'gridbourse_registry_watch_age_ms',
      'Time since silence was last judged; many times watchEveryMs means that nobody watches',
      () => this.clock.now() - this.lastTurnMs,
    );
    metrics.observe('gridbourse_registry_frozen', '1 while so many are dark that nobody goes offline', () =>
      this.frozen ? 1 : 0,
    );
  }

  onApplicationBootstrap(): void {
    this.sightedSinceMs = this.clock.now();
    this.lastTurnMs = this.sightedSinceMs;
    this.tasks.every({ name: 'silence-watch', everyMs: this.config.watchEveryMs }, () => this.turn());
  }

  /** When a turn last ended, by our clock, whether silence could be judged in it or not. */
  get lastLookAtMs(): Instant {
    return this.lastLookMs;
  }

  /** Whether silence at that moment says anything about a provider. */
  canSee(atMs: Instant): boolean {
    return !this.frozen && !this.blind && atMs >= this.sightedSinceMs;
  }

  private async turn(): Promise<void> {
    const now = this.clock.now();
    await this.judge(now);
    this.lastLookMs = now;
  }

  private async judge(now: Instant): Promise<void> {
    // A turn that is left out counts as sleep: silence of a longer time without sight is ours.
    if (!(await this.hearOthers(now))) return;
    this.noticeOwnSleep(now);
    const judgement = judgeSilence(this.watched(), this.config, {
      atMs: now,
      sightedSinceMs: this.sightedSinceMs,
    });
    const lost = this.noticeOutage(judgement, now) ? [] : judgement.offline;
    const missing = judgement.unreachable.map(
      (provider) => () =>
        this.hub.setLiveness(provider, {
          type: 'MissHeartbeats',
          lastSeenAtMs: provider.lastSeenAtMs,
          atMs: now,
        }),
    );
    const givenUp = lost.map(
      (provider) => () =>
        this.hub.setLiveness(provider, { type: 'GiveUp', lastSeenAtMs: provider.lastSeenAtMs, atMs: now }),
    );
    await inBatches([...missing, ...givenUp]);
  }

  private *watched(): Generator<Watched<TrackedProvider>> {
    for (const provider of this.hub.all()) {
      yield { id: provider, liveness: provider.liveness, lastSeenAtMs: provider.lastSeenAtMs };
    }
  }

  /**
   * Exchanges with the other instances who was heard of; their agents may be connected elsewhere.
   * @returns false when the store between us is away: then nothing can be said of anybody
   */
  private async hearOthers(now: Instant): Promise<boolean> {
    const darkAfterMs = this.config.heartbeatIntervalMs * this.config.missedHeartbeats;
    const silent = [...this.hub.all()].filter(
      ({ liveness, lastSeenAtMs }) =>
        (liveness === 'online' || liveness === 'unreachable') && now - lastSeenAtMs >= darkAfterMs,
    );
    try {
      await this.sightings.share();
      const shared = await this.sightings.lastSharedOf(silent.map(({ providerId }) => providerId));
      for (const provider of silent) {
        provider.lastSeenAtMs = Math.max(provider.lastSeenAtMs, shared.get(provider.providerId) ?? 0);
      }
    } catch (error) {
      if (!isStoreTrouble(error)) throw error;
      if (!this.blind)
        this.logger.error({ err: error }, 'silence is not judged: other instances cannot be heard');
      this.blind = true;
      return false;
    }
    this.blind = false;
    return true;
  }

  /** A process that was stopped, starved or suspended heard nothing meanwhile. */
  private noticeOwnSleep(now: Instant): void {
    const sleptMs = now - this.lastTurnMs;
    const { heartbeatIntervalMs, missedHeartbeats } = this.config;
    if (sleptMs > (heartbeatIntervalMs * missedHeartbeats) / 2) {
      this.logger.warn(
        { sleptMs },
        'this process did not run for a while: silence of that time counts against nobody',
      );
      this.sightedSinceMs = now;
    }
    this.lastTurnMs = now;
  }

  /** Whether an outage of ours has just ended: what was judged of the time before is then void. */
  private noticeOutage({ frozen, dark, watched }: Judgement<TrackedProvider>, now: Instant): boolean {
    const [begins, ends] = [frozen && !this.frozen, !frozen && this.frozen];
    this.dark = dark;
    this.frozen = frozen;
    if (begins) {
      this.logger.error(
        { dark, watched },
        'too many providers are dark at once: frozen, nobody goes offline',
      );
    }
    if (ends) {
      this.logger.warn({ dark, watched }, 'providers are seen again: the freeze is over');
      this.sightedSinceMs = now; // whoever is still missing gets the whole time from here
    }
    return ends;
  }
}

const inBatches = async (work: readonly (() => Promise<void>)[]): Promise<void> => {
  const failures: unknown[] = [];
  for (let from = 0; from < work.length; from += PARALLEL) {
    const settled = await Promise.allSettled(work.slice(from, from + PARALLEL).map((run) => run()));
    failures.push(
      ...settled.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : [])),
    );
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} changes could not be written down`);
};
