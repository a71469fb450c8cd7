import {
  Caller,
  decodeCursor,
  money,
  moneyDto,
  moneyDtoOrNull,
  page,
  pageQuery,
  RequireScopes,
  Returns,
  toPage,
} from '@gridbourse/api';
import { idPattern, rfc3339 } from '@gridbourse/kernel';
import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { bigintOrNull } from '../../adapters/sql.ts';

const settlementsQuery = pageQuery.extend({
  leaseId: z.string().regex(idPattern('lease'), 'expected a lease id').optional(),
});

const settlement = z
  .object({
    settlementId: z.string(),
    leaseId: z.string(),
    kind: z.enum(['interim', 'final']),
    state: z.enum(['drafted', 'submitted', 'confirmed', 'finalized', 'failed_retryable', 'failed_final']),
    /** All that the lease shall have been paid with this settlement. */
    cumulative: money,
    /** What this settlement moved. */
    paid: money.nullable(),
    txHash: z.string().nullable(),
    failure: z.string().nullable(),
    draftedAt: z.string(),
    submittedAt: z.string().nullable(),
    confirmedAt: z.string().nullable(),
  })
  .meta({ id: 'Settlement' });

const SETTLEMENTS = `
  SELECT s.* FROM settlements s JOIN leases l USING (lease_id)
  WHERE l.account_id = $1 AND ($2::text IS NULL OR s.lease_id = $2)
    AND ($3::bigint IS NULL OR (s.drafted_at_ms, s.settlement_id) < ($3, $4))
  ORDER BY s.drafted_at_ms DESC, s.settlement_id DESC LIMIT $5`;

type SettlementRow = {
  settlement_id: string;
  lease_id: string;
  kind: 'interim' | 'final';
  state: z.output<typeof settlement>['state'];
  cumulative_micros: string;
  paid_micros: string | null;
  tx_hash: string | null;
  failure: string | null;
  drafted_at_ms: string;
  submitted_at_ms: string | null;
  confirmed_at_ms: string | null;
};

const timeOrNull = (ms: string | null): string | null => (ms === null ? null : rfc3339(Number(ms)));

const settlementDto = (row: SettlementRow): z.output<typeof settlement> => ({
  settlementId: row.settlement_id,
  leaseId: row.lease_id,
  kind: row.kind,
  state: row.state,
  cumulative: moneyDto(BigInt(row.cumulative_micros)),
  paid: moneyDtoOrNull(bigintOrNull(row.paid_micros)),
  txHash: row.tx_hash,
  failure: row.failure,
  draftedAt: rfc3339(Number(row.drafted_at_ms)),
  submittedAt: timeOrNull(row.submitted_at_ms),
  confirmedAt: timeOrNull(row.confirmed_at_ms),
});

@ApiTags('billing')
@Controller('v1/settlements')
export class SettlementsController {
  constructor(private readonly dataSource: DataSource) {}

  /** What was told to the chain for the caller's leases, newest first. */
  @Get()
  @RequireScopes('escrow:read')
  @Returns(200, page(settlement))
  async list(
    @Caller() caller: Caller,
    @Query({ schema: settlementsQuery }) query: z.output<typeof settlementsQuery>,
  ) {
    const [draftedAt, id] = decodeCursor(query.cursor, ['bigint', 'text']) ?? [null, null];
    const rows = await this.dataSource.query<SettlementRow[]>(SETTLEMENTS, [
      caller.accountId,
      query.leaseId ?? null,
      draftedAt,
      id,
      query.limit + 1,
    ]);
    return toPage(rows, query.limit, (row) => [row.drafted_at_ms, row.settlement_id], settlementDto);
  }
}
