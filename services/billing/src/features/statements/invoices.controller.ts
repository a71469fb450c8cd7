import { Caller, money, moneyDto, moneyDtoOrNull, RequireScopes, Returns } from '@gridbourse/api';
import { earnedMicros, idPattern, type Micros, rfc3339 } from '@gridbourse/kernel';
import { Controller, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import {
  type Agreement,
  type BilledLease,
  lockedInMicros,
  meteredMicros,
  stateOf,
} from '../../domain/lease.ts';
import { savingShare } from '../../domain/saving.ts';
import { OwnLease } from './own-lease.ts';

const leaseId = z.string().regex(idPattern('lease'), 'expected a lease id');

const invoice = z
  .object({
    leaseId: z.string(),
    orderId: z.string(),
    providerId: z.string(),
    group: z.string(),
    state: z.enum([
      'heard_of',
      'proposed',
      'opening',
      'open',
      'closing',
      'closed',
      'lapsed',
      'funding_failed',
    ]),
    /** No more will be added: the meter is closed and the chain has paid. */
    final: z.boolean(),
    rate: money,
    durationSeconds: z.int(),
    usage: z.object({
      seconds: z.int(),
      windows: z.int(),
      from: z.string().nullable(),
      to: z.string().nullable(),
    }),
    /** floor(rate x seconds / 3600) */
    amount: money,
    paid: money,
    lock: money,
    refunded: money.nullable(),
    /** The same hours at the list price of large clouds. */
    list: z.object({ rate: money, amount: money, saving: money, savingShare: z.number() }).nullable(),
  })
  .meta({ id: 'Invoice' });

type Invoice = z.output<typeof invoice>;

const USAGE = `
  SELECT count(*) AS windows, min(window_start_ms) AS started, max(window_end_ms) AS ended
  FROM usage_records WHERE lease_id = $1`;

type UsageRow = { windows: string; started: string | null; ended: string | null };

const listOf = (agreement: Agreement, seconds: number, amount: Micros): Invoice['list'] => {
  const rate = agreement.listRateMicrosPerHour;
  if (rate === null) return null;
  const list = earnedMicros(rate, BigInt(seconds));
  return {
    rate: moneyDto(rate),
    amount: moneyDto(list),
    saving: moneyDto(list - amount),
    savingShare: savingShare(list, amount),
  };
};

const invoiceOf = (lease: BilledLease, agreement: Agreement, usage: UsageRow): Invoice => {
  const seconds = lease.meter.cumulativeSeconds;
  const amount = meteredMicros(lease);
  return {
    leaseId: lease.leaseId,
    orderId: agreement.orderId,
    providerId: agreement.providerId,
    group: agreement.groupName,
    state: stateOf(lease),
    final: lease.closedAtMs !== null,
    rate: moneyDto(agreement.rateMicrosPerHour),
    durationSeconds: agreement.durationSeconds,
    usage: {
      seconds,
      windows: Number(usage.windows),
      from: usage.started === null ? null : rfc3339(Number(usage.started)),
      to: usage.ended === null ? null : rfc3339(Number(usage.ended)),
    },
    amount: moneyDto(amount),
    paid: moneyDto(lease.settledMicros),
    lock: moneyDto(lockedInMicros(agreement, lease.lockChange)),
    refunded: moneyDtoOrNull(lease.refundedMicros),
    list: listOf(agreement, seconds, amount),
  };
};

@ApiTags('billing')
@Controller('v1/invoices')
export class InvoicesController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly ownLease: OwnLease,
  ) {}

  /** Usage, rate and amount of one lease, and what it would have cost at list prices. */
  @Get(':leaseId')
  @RequireScopes('escrow:read')
  @Returns(200, invoice)
  async show(@Caller() caller: Caller, @Param('leaseId', { schema: leaseId }) id: string): Promise<Invoice> {
    const { lease, agreement } = await this.ownLease.read(id, caller.accountId);
    const [usage] = await this.dataSource.query<UsageRow[]>(USAGE, [id]);
    return invoiceOf(lease, agreement, usage!);
  }
}
