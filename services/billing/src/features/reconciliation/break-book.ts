import { CLOCK, RANDOM, SERVICE_CONFIG } from '@gridbourse/api';
import { EventStore } from '@gridbourse/event-store';
import type { BillingEvent } from '@gridbourse/events';
import { type Clock, type Id, newId, type Random } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { BillingConfig } from '../../billing.config.ts';
import { type Finding, findingKey } from '../../domain/reconciliation.ts';

const UNRESOLVED = `SELECT * FROM breaks WHERE state <> 'resolved' AND subject = ANY($1::text[]) ORDER BY break_id FOR UPDATE`;
const SUSPECT = `
  INSERT INTO breaks (break_id, kind, subject, account_id, state, meter_micros, ledger_micros, chain_micros, detail, first_seen_ms)
  VALUES ($1, $2, $3, $4, 'suspected', $5, $6, $7, $8, $9)`;
const OPEN = `
  UPDATE breaks SET state = 'open', opened_at_ms = $2, meter_micros = $3, ledger_micros = $4, chain_micros = $5,
    detail = $6, stream_version = 1
  WHERE break_id = $1`;
const DISMISS = `DELETE FROM breaks WHERE break_id = ANY($1::text[])`;
const RESOLVE = `
  UPDATE breaks SET state = 'resolved', resolved_at_ms = $2, resolution = $3, stream_version = stream_version + 1
  WHERE break_id = ANY($1::text[])`;

const RESOLUTION = 'the three sides agree again';

type BreakRow = {
  break_id: Id<'break'>;
  kind: Finding['kind'];
  subject: string;
  state: 'suspected' | 'open';
  first_seen_ms: string;
  stream_version: number;
};

export type Look = {
  /** Everything that was looked at, also where nothing was found. */
  readonly subjects: readonly string[];
  readonly findings: readonly Finding[];
  readonly accountOf: (subject: string) => string | null;
};

/** Findings that last become breaks; breaks that are found no more are resolved. Each is told once. */
@Injectable()
export class BreakBook {
  constructor(
    private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(RANDOM) private readonly random: Random,
    @Inject(SERVICE_CONFIG) private readonly config: BillingConfig,
  ) {}

  async record(manager: EntityManager, look: Look): Promise<void> {
    const rows = await manager.query<BreakRow[]>(UNRESOLVED, [look.subjects]);
    const known = new Map(rows.map((row) => [findingKey(row), row]));
    for (const finding of look.findings) {
      const row = known.get(findingKey(finding)) ?? (await this.suspect(manager, finding, look));
      known.delete(findingKey(finding));
      const lasted = this.clock.now() - Number(row.first_seen_ms);
      if (row.state === 'suspected' && lasted >= this.config.breakGraceMs) {
        await this.open(manager, row, finding);
      }
    }
    await this.settle(manager, [...known.values()]);
  }

  private async suspect(manager: EntityManager, finding: Finding, look: Look): Promise<BreakRow> {
    const now = this.clock.now();
    const breakId = newId('break', now, this.random);
    const { kind, subject } = finding;
    await manager.query(SUSPECT, [
      breakId,
      kind,
      subject,
      look.accountOf(subject),
      ...amountsOf(finding),
      finding.detail.slice(0, 500),
      now,
    ]);
    return {
      break_id: breakId,
      kind,
      subject,
      state: 'suspected',
      first_seen_ms: String(now),
      stream_version: 0,
    };
  }

  private async open(manager: EntityManager, row: BreakRow, finding: Finding): Promise<void> {
    const now = this.clock.now();
    const detail = finding.detail.slice(0, 500);
    await manager.query(OPEN, [row.break_id, now, ...amountsOf(finding), detail]);
    await this.tell(manager, row, {
      type: 'BreakOpened',
      breakId: row.break_id,
      ...finding,
      subject: finding.subject.slice(0, 80),
      detail,
      atMs: now,
    });
  }

  private async settle(manager: EntityManager, gone: readonly BreakRow[]): Promise<void> {
    const now = this.clock.now();
    const suspected = gone.filter((row) => row.state === 'suspected');
    const open = gone.filter((row) => row.state === 'open');
    if (suspected.length > 0) await manager.query(DISMISS, [suspected.map((row) => row.break_id)]);
    if (open.length === 0) return;
    await manager.query(RESOLVE, [open.map((row) => row.break_id), now, RESOLUTION]);
    for (const row of open) {
      await this.tell(manager, row, {
        type: 'BreakResolved',
        breakId: row.break_id,
        resolution: RESOLUTION,
        atMs: now,
      });
    }
  }

  private tell(manager: EntityManager, row: BreakRow, event: BillingEvent): Promise<void> {
    return this.store.append(manager, [
      { streamId: row.break_id, expectedVersion: row.stream_version, events: [event] },
    ]);
  }
}

const amountsOf = (finding: Finding): (string | null)[] =>
  [finding.meterMicros, finding.ledgerMicros, finding.chainMicros].map(
    (micros) => micros?.toString() ?? null,
  );
