import {
  Caller,
  decodeCursor,
  money,
  moneyDto,
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
import { lockChangeOf } from '../../adapters/lease.row.ts';
import { ratedMicros, termsNow } from '../../domain/rating.ts';

const leaseId = z.string().regex(idPattern('lease'), 'expected a lease id');
const usageQuery = pageQuery.extend({ leaseId: leaseId.optional() });

const usage = z
  .object({
    usageId: z.string(),
    leaseId: z.string(),
    windowStart: z.string(),
    windowEnd: z.string(),
    seconds: z.int(),
    cumulativeSeconds: z.int(),
    /** What the lease had earned at the end of the window. */
    earned: money,
  })
  .meta({ id: 'UsageWindow' });

const WINDOWS = `
  SELECT u.*, l.rate_micros_per_hour, l.duration_seconds, l.lock_micros,
         l.lock_added_micros, l.lock_freed_micros, l.stops_at_ms
  FROM usage_records u JOIN leases l USING (lease_id)
  WHERE l.account_id = $1 AND ($2::text IS NULL OR u.lease_id = $2)
    AND ($3::bigint IS NULL OR (u.window_start_ms, u.usage_id) > ($3, $4))
  ORDER BY u.window_start_ms, u.usage_id LIMIT $5`;

type WindowRow = {
  usage_id: string;
  lease_id: string;
  window_start_ms: string;
  window_end_ms: string;
  seconds: number;
  cumulative_seconds: number;
  rate_micros_per_hour: string;
  duration_seconds: number;
  lock_micros: string;
  lock_added_micros: string;
  lock_freed_micros: string;
  stops_at_ms: string | null;
};

const usageDto = (row: WindowRow): z.output<typeof usage> => ({
  usageId: row.usage_id,
  leaseId: row.lease_id,
  windowStart: rfc3339(Number(row.window_start_ms)),
  windowEnd: rfc3339(Number(row.window_end_ms)),
  seconds: row.seconds,
  cumulativeSeconds: row.cumulative_seconds,
  earned: moneyDto(
    ratedMicros(
      termsNow(
        {
          rateMicrosPerHour: BigInt(row.rate_micros_per_hour),
          durationSeconds: row.duration_seconds,
          lockMicros: BigInt(row.lock_micros),
        },
        lockChangeOf(row),
      ),
      row.cumulative_seconds,
    ),
  ),
});

@ApiTags('billing')
@Controller('v1/usage')
export class UsageController {
  constructor(private readonly dataSource: DataSource) {}

  /** Metered windows of the caller's leases, oldest first. */
  @Get()
  @RequireScopes('escrow:read')
  @Returns(200, page(usage))
  async list(@Caller() caller: Caller, @Query({ schema: usageQuery }) query: z.output<typeof usageQuery>) {
    const [start, id] = decodeCursor(query.cursor, ['bigint', 'text']) ?? [null, null];
    const rows = await this.dataSource.query<WindowRow[]>(WINDOWS, [
      caller.accountId,
      query.leaseId ?? null,
      start,
      id,
      query.limit + 1,
    ]);
    return toPage(rows, query.limit, (row) => [row.window_start_ms, row.usage_id], usageDto);
  }
}
