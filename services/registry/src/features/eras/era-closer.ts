import { CLOCK, LOGGER, PeriodicTasks, SERVICE_CONFIG } from '@gridbourse/api';
import { type Clock, DomainError } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Aggregates } from '../../aggregates/aggregates.ts';
import { providers } from '../../aggregates/registry-aggregates.ts';
import { eraOf } from '../../domain/challenges.ts';
import type { EraResult } from '../../domain/tiers.ts';
import type { RegistryConfig } from '../../registry.config.ts';
import { ChallengeLog } from '../agents/challenge-log.ts';

type Row = { provider_id: string; sent: number; answered: number; p95: number | null };

const PAGE = 500;

const OPEN_ERAS = `
  SELECT DISTINCT era FROM challenge_minutes WHERE era < $1 AND era NOT IN (SELECT era FROM closed_eras) ORDER BY era`;

/** percentile_disc: a response time that really was, not one between two. */
const RESULTS = `
  SELECT m.provider_id, sum(m.sent)::int AS sent, sum(m.answered)::int AS answered,
    (SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY response)
     FROM challenge_minutes x, unnest(x.response_ms) AS response
     WHERE x.era = $1 AND x.provider_id = m.provider_id) AS p95
  FROM challenge_minutes m WHERE m.era = $1 AND m.provider_id > $2
  GROUP BY m.provider_id ORDER BY m.provider_id LIMIT $3`;

/** Closes eras whose last challenge has been decided: publishes what they showed, and moves tiers. */
@Injectable()
export class EraCloser implements OnApplicationBootstrap {
  constructor(
    private readonly dataSource: DataSource,
    private readonly aggregates: Aggregates,
    private readonly log: ChallengeLog,
    private readonly tasks: PeriodicTasks,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: RegistryConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const everyMs = this.config.closeErasEveryMs;
    this.tasks.every({ name: 'close-eras', everyMs, singleOwner: true }, (signal) => this.closeDue(signal));
  }

  private async closeDue(signal: AbortSignal): Promise<void> {
    await this.log.save();
    const { challengeTimeoutMs, rollupEveryMs, eraMs, keepClosedEras } = this.config;
    const settledAtMs = this.clock.now() - challengeTimeoutMs - 2 * rollupEveryMs;
    const eras = await this.dataSource.query<{ era: string }[]>(OPEN_ERAS, [eraOf(settledAtMs, eraMs)]);
    for (const { era } of eras) {
      if (signal.aborted) return;
      await this.close(Number(era), signal);
    }
    if (eras.length === 0) return;
    const keepFrom = eraOf(settledAtMs, eraMs) - keepClosedEras;
    await this.dataSource.query('DELETE FROM challenge_minutes WHERE era < $1', [keepFrom]);
  }

  /** May be broken off and begun again: a provider takes each era once. */
  private async close(era: number, signal: AbortSignal): Promise<void> {
    let closed = 0;
    for (let after = ''; ;) {
      const rows = await this.dataSource.query<Row[]>(RESULTS, [era, after, PAGE]);
      for (const row of rows) {
        if (signal.aborted) return;
        await this.closeFor(row, era);
      }
      closed += rows.length;
      if (rows.length < PAGE) break;
      after = rows.at(-1)!.provider_id;
    }
    await this.dataSource.query(
      'INSERT INTO closed_eras (era, closed_at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [era, this.clock.now()],
    );
    this.logger.info({ era, providers: closed }, 'an era was closed');
  }

  private async closeFor(row: Row, era: number): Promise<void> {
    const result: EraResult = {
      challengesSent: row.sent,
      challengesAnswered: row.answered,
      responseP95Ms: row.p95,
    };
    try {
      await this.aggregates.execute(providers, row.provider_id, [
        { type: 'CloseEra', era, result, rules: this.config.tiers, atMs: this.clock.now() },
      ]);
    } catch (error) {
      if (!(error instanceof DomainError && error.code === 'provider_not_found')) throw error;
    }
  }
}
