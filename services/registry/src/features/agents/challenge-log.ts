import { SERVICE_CONFIG } from '@gridbourse/api';
import type { Instant } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { eraOf } from '../../domain/challenges.ts';
import type { RegistryConfig } from '../../registry.config.ts';

const MINUTE_MS = 60_000;

type Minute = {
  era: number;
  provider_id: string;
  minute_ms: number;
  sent: number;
  answered: number;
  response_ms: number[];
};

/** Outcomes of challenges, rolled up by the minute in which they were sent. */
@Injectable()
export class ChallengeLog {
  private minutes = new Map<string, Minute>();

  constructor(
    private readonly dataSource: DataSource,
    @Inject(SERVICE_CONFIG) private readonly config: Pick<RegistryConfig, 'eraMs'>,
  ) {}

  /** `responseMs` is null for a challenge that was not answered in time, or wrongly. */
  note(providerId: string, sentAtMs: Instant, responseMs: number | null): void {
    const minute = this.minuteOf(
      eraOf(sentAtMs, this.config.eraMs),
      providerId,
      sentAtMs - (sentAtMs % MINUTE_MS),
    );
    minute.sent += 1;
    if (responseMs === null) return;
    minute.answered += 1;
    minute.response_ms.push(Math.max(0, Math.round(responseMs)));
  }

  /** Writes down what is new since the last time; what could not be written is kept for the next time. */
  async save(): Promise<void> {
    if (this.minutes.size === 0) return;
    const saving = this.minutes;
    this.minutes = new Map();
    try {
      await this.dataSource.query(
        `INSERT INTO challenge_minutes (era, provider_id, minute_ms, sent, answered, response_ms)
         SELECT era, provider_id, minute_ms, sent, answered, response_ms FROM jsonb_to_recordset($1::jsonb) AS
           r(era bigint, provider_id text, minute_ms bigint, sent int, answered int, response_ms int[])
         ON CONFLICT (era, provider_id, minute_ms) DO UPDATE SET
           sent = challenge_minutes.sent + excluded.sent,
           answered = challenge_minutes.answered + excluded.answered,
           response_ms = challenge_minutes.response_ms || excluded.response_ms`,
        [JSON.stringify([...saving.values()])],
      );
    } catch (error) {
      for (const lost of saving.values()) {
        const minute = this.minuteOf(lost.era, lost.provider_id, lost.minute_ms);
        minute.sent += lost.sent;
        minute.answered += lost.answered;
        minute.response_ms.push(...lost.response_ms);
      }
      throw error;
    }
  }

  private minuteOf(era: number, providerId: string, minuteMs: number): Minute {
    const key = `${era}/${providerId}/${minuteMs}`;
    const known = this.minutes.get(key);
    if (known) return known;
    const minute: Minute = {
      era,
      provider_id: providerId,
      minute_ms: minuteMs,
      sent: 0,
      answered: 0,
      response_ms: [],
    };
    this.minutes.set(key, minute);
    return minute;
  }
}
