import { CLOCK, LOGGER, PeriodicTasks, RANDOM, SERVICE_CONFIG } from '@gridbourse/api';
import type { Clock, Instant, Random } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type BeforeApplicationShutdown,
} from '@nestjs/common';
import { secretHex } from '../../adapters/secrets.ts';
import { signedByWallet } from '../../adapters/wallet-signatures.ts';
import { challengeKind, nextChallengeDelayMs } from '../../domain/challenges.ts';
import type { RegistryConfig } from '../../registry.config.ts';
import { AgentHub } from './agent-hub.ts';
import { challengeText } from './agent-texts.ts';
import { ChallengeLog } from './challenge-log.ts';
import { SilenceWatch } from './silence-watch.ts';
import { Sightings } from './sightings.ts';
import { TelemetryMetrics } from './telemetry-metrics.ts';
import type { PendingChallenge, TrackedProvider } from './tracked-provider.ts';

/** Asks providers at random moments whether they are there, and notes how long they take to say so. */
@Injectable()
export class Challenges implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly hub: AgentHub,
    private readonly watch: SilenceWatch,
    private readonly log: ChallengeLog,
    private readonly sightings: Sightings,
    private readonly metrics: TelemetryMetrics,
    private readonly tasks: PeriodicTasks,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(RANDOM) private readonly random: Random,
    @Inject(SERVICE_CONFIG) private readonly config: RegistryConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.tasks.every({ name: 'challenges', everyMs: this.config.watchEveryMs }, () => {
      const now = this.clock.now();
      for (const provider of this.hub.all()) {
        this.expire(provider, now);
        if (provider.nextChallengeAtMs <= now) this.ask(provider, now);
      }
      return Promise.resolve();
    });
    this.tasks.every({ name: 'save-telemetry', everyMs: this.config.rollupEveryMs }, () => this.save());
  }

  /** Before, not on: the database is closed on shutdown. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.save().catch((error: unknown) => {
      this.logger.warn({ err: error }, 'the last seconds of telemetry could not be written down');
    });
  }

  /**
   * An answer arrived, at `arrivedAtMs`.
   * @returns whether it was right; also true for a challenge that is no longer waited for
   */
  answer(provider: TrackedProvider, challengeId: string, signature: string, arrivedAtMs: Instant): boolean {
    const challenge = provider.pending.get(challengeId);
    if (!challenge) return true;
    provider.pending.delete(challengeId);
    if (!signedByWallet(provider.wallet, challengeText(challengeId, challenge.nonce), signature)) {
      this.failed(provider, challenge, 'wrong');
      return false;
    }
    const responseMs = arrivedAtMs - challenge.sentAtMs;
    if (responseMs > this.config.challengeTimeoutMs) {
      this.failed(provider, challenge, 'missed');
      return true;
    }
    this.log.note(provider.providerId, challenge.sentAtMs, responseMs);
    this.metrics.challenges.add(1, { kind: challenge.kind, result: 'answered' });
    this.metrics.responseMs.record(responseMs, { kind: challenge.kind });
    return true;
  }

  private ask(provider: TrackedProvider, now: Instant): void {
    provider.nextChallengeAtMs = now + nextChallengeDelayMs(this.random, this.config.challengeMeanIntervalMs);
    const kind = challengeKind(this.random, provider.hasGpus, this.config.gpuChallengeShare);
    const challenge: PendingChallenge = { kind, nonce: secretHex(), sentAtMs: now };
    if (provider.connection && provider.liveness === 'online') {
      const challengeId = `chl_${secretHex().slice(0, 32)}`;
      provider.pending.set(challengeId, challenge);
      provider.connection.send({ challenge: { challengeId, nonce: challenge.nonce, kind } });
    } else if (provider.liveness === 'unreachable' || provider.liveness === 'offline') {
      // Nobody is there to be asked: that is a miss, unless it is we who cannot see.
      if (this.watch.canSee(now)) this.failed(provider, challenge, 'missed');
    }
  }

  private expire(provider: TrackedProvider, now: Instant): void {
    for (const [challengeId, challenge] of provider.pending) {
      if (now - challenge.sentAtMs <= this.config.challengeTimeoutMs) continue;
      provider.pending.delete(challengeId);
      if (this.watch.canSee(challenge.sentAtMs)) this.failed(provider, challenge, 'missed');
    }
  }

  private failed(provider: TrackedProvider, challenge: PendingChallenge, result: 'missed' | 'wrong'): void {
    this.log.note(provider.providerId, challenge.sentAtMs, null);
    this.metrics.challenges.add(1, { kind: challenge.kind, result });
  }

  private async save(): Promise<void> {
    await this.sightings.save();
    await this.log.save();
  }
}
