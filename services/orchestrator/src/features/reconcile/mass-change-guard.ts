import { CLOCK, LOGGER, METER, SERVICE_CONFIG } from '@gridbourse/api';
import type { Clock, ProviderId } from '@gridbourse/kernel';
import type { Counter, Logger, Meter } from '@gridbourse/observability';
import { Inject, Injectable } from '@nestjs/common';
import { MassChangeBreaker } from '../../domain/mass-change-breaker.ts';
import type { OrchestratorConfig } from '../../orchestrator.config.ts';

/** One breaker a cluster, with an alarm when it trips. */
@Injectable()
export class MassChangeGuard {
  private readonly breakers = new Map<ProviderId, MassChangeBreaker>();
  private readonly held: Counter;

  constructor(
    @Inject(SERVICE_CONFIG) private readonly config: OrchestratorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(METER) meter: Meter,
  ) {
    this.held = meter.createCounter('gridbourse_held_conclusions', {
      description: 'Failures and removals that were held back because too many came at once',
    });
  }

  /** Whether one more failure or removal in this cluster may be believed now. @param key what it is about */
  allows(providerId: ProviderId, key: string, population: number): boolean {
    const { massChangeShare: share, massChangeWindowMs: windowMs, massChangeHoldMs: holdMs } = this.config;
    const breaker = this.breakers.get(providerId) ?? new MassChangeBreaker({ share, windowMs, holdMs });
    this.breakers.set(providerId, breaker);
    const nowMs = this.clock.now();
    const wasHeld = breaker.heldSince(nowMs) !== null;
    if (breaker.allows(key, population, nowMs)) return true;
    this.held.add(1, { provider: providerId });
    if (!wasHeld) {
      this.logger.error(
        { providerId, population, holdMs },
        'too many failures or removals at once: held back',
      );
    }
    return false;
  }
}
