import {
  Caller,
  decodeCursor,
  money,
  moneyDtoOrNull,
  page,
  pageQuery,
  RequireScopes,
  Returns,
  toPage,
} from '@gridbourse/api';
import { breakKind } from '@gridbourse/events';
import { rfc3339 } from '@gridbourse/kernel';
import { Controller, Get, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { bigintOrNull } from '../../adapters/sql.ts';
import { ReconciliationTask } from './reconciliation.task.ts';

const sides = { meter: money.nullable(), ledger: money.nullable(), chain: money.nullable() };

const breakDto = z
  .object({
    breakId: z.string(),
    kind: breakKind,
    /** A lease id or a wallet. */
    subject: z.string(),
    state: z.enum(['open', 'resolved']),
    ...sides,
    detail: z.string(),
    openedAt: z.string(),
    resolvedAt: z.string().nullable(),
    resolution: z.string().nullable(),
  })
  .meta({ id: 'Break' });

const finding = z
  .object({ kind: breakKind, subject: z.string(), ...sides, detail: z.string() })
  .meta({ id: 'Finding' });
const reconciliation = z
  .object({ leases: z.int(), findings: z.array(finding) })
  .meta({ id: 'Reconciliation' });

const breaksQuery = pageQuery.extend({ open: z.stringbool().optional() });

const BREAKS = `
  SELECT * FROM breaks
  WHERE account_id = $1 AND state <> 'suspected' AND ($2::boolean IS NULL OR (state = 'open') = $2)
    AND ($3::text IS NULL OR break_id < $3)
  ORDER BY break_id DESC LIMIT $4`;

type BreakRow = {
  break_id: string;
  kind: z.output<typeof breakKind>;
  subject: string;
  state: 'open' | 'resolved';
  meter_micros: string | null;
  ledger_micros: string | null;
  chain_micros: string | null;
  detail: string;
  opened_at_ms: string;
  resolved_at_ms: string | null;
  resolution: string | null;
};

const dtoOf = (row: BreakRow): z.output<typeof breakDto> => ({
  breakId: row.break_id,
  kind: row.kind,
  subject: row.subject,
  state: row.state,
  meter: moneyDtoOrNull(bigintOrNull(row.meter_micros)),
  ledger: moneyDtoOrNull(bigintOrNull(row.ledger_micros)),
  chain: moneyDtoOrNull(bigintOrNull(row.chain_micros)),
  detail: row.detail,
  openedAt: rfc3339(Number(row.opened_at_ms)),
  resolvedAt: row.resolved_at_ms === null ? null : rfc3339(Number(row.resolved_at_ms)),
  resolution: row.resolution,
});

@ApiTags('billing')
@Controller('v1')
export class BreaksController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly task: ReconciliationTask,
  ) {}

  /** Where meter, ledger and chain disagreed about the caller's leases and escrow, newest first. */
  @Get('breaks')
  @RequireScopes('escrow:read')
  @Returns(200, page(breakDto))
  async list(@Caller() caller: Caller, @Query({ schema: breaksQuery }) query: z.output<typeof breaksQuery>) {
    const [before] = decodeCursor(query.cursor, ['text']) ?? [null];
    const rows = await this.dataSource.query<BreakRow[]>(BREAKS, [
      caller.accountId,
      query.open ?? null,
      before,
      query.limit + 1,
    ]);
    return toPage(rows, query.limit, (row) => [row.break_id], dtoOf);
  }

  /** Compares the three sides of all of the caller's leases now, the contract's storage included. */
  @Post('reconciliations')
  @RequireScopes('escrow:read')
  @Returns(200, reconciliation)
  async reconcile(@Caller() caller: Caller): Promise<z.output<typeof reconciliation>> {
    const { leases, findings } = await this.task.reconcile(caller);
    return {
      leases,
      findings: findings.map(({ kind, subject, detail, ...micros }) => ({
        kind,
        subject,
        meter: moneyDtoOrNull(micros.meterMicros),
        ledger: moneyDtoOrNull(micros.ledgerMicros),
        chain: moneyDtoOrNull(micros.chainMicros),
        detail,
      })),
    };
  }
}
