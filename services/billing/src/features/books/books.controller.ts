import { Caller, money, moneyDto, RequireScopes, Returns } from '@gridbourse/api';
import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { TenantStore } from '../../adapters/tenant.store.ts';
import { BooksStore, type PlatformFigures } from './books.store.ts';

const millis = z.int().nullable();

const books = z
  .object({
    /** How many of the caller's leases are in each state. */
    leases: z.record(z.string(), z.int()),
    /** What the meter of the caller's leases is worth, … */
    meter: money,
    /** … what the ledger has paid for it, … */
    ledgerPaid: money,
    /** … and what the chain has paid. The three are equal once all leases are closed. */
    chainPaid: money,
    refunded: money,
    deposited: money,
    free: money,
    locked: money,
    spent: money,
    withdrawn: money,
    openBreaks: z.int(),
    platform: z.object({
      /** From signing a transaction to hearing of its event. */
      chainConfirmMs: z.object({ p50: millis, p99: millis, count: z.int() }),
      /** Gas of settling and closing transactions for each lease that is closed. */
      gasPerSettledLease: z.int().nullable(),
      gasUsed: z.object({ open: z.string(), settle: z.string(), close: z.string() }),
      settledLeases: z.int(),
      transactions: z.int(),
    }),
  })
  .meta({ id: 'Books' });

const platformDto = (figures: PlatformFigures): z.output<typeof books>['platform'] => {
  const { gasUsed, settledLeases, transactions, chainConfirmMs } = figures;
  const settling = gasUsed.settle + gasUsed.close;
  return {
    chainConfirmMs,
    gasPerSettledLease: settledLeases === 0 ? null : Number(settling / BigInt(settledLeases)),
    gasUsed: {
      open: gasUsed.open.toString(),
      settle: gasUsed.settle.toString(),
      close: gasUsed.close.toString(),
    },
    settledLeases,
    transactions,
  };
};

@ApiTags('billing')
@Controller('v1/books')
export class BooksController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly tenants: TenantStore,
    private readonly store: BooksStore,
  ) {}

  /** The caller's money from all three sides: meter = ledger = chain, deposited = free + locked + spent + withdrawn. */
  @Get()
  @RequireScopes('escrow:read')
  @Returns(200, books)
  async show(@Caller() caller: Caller): Promise<z.output<typeof books>> {
    const account = await this.store.account(caller.accountId);
    const escrow = await this.tenants.read(this.dataSource.manager, caller.wallet);
    return {
      leases: { ...account.leases },
      meter: moneyDto(account.meterMicros),
      ledgerPaid: moneyDto(account.ledgerPaidMicros),
      chainPaid: moneyDto(account.chainPaidMicros),
      refunded: moneyDto(account.refundedMicros),
      deposited: moneyDto(escrow.depositedMicros),
      free: moneyDto(escrow.freeMicros),
      locked: moneyDto(escrow.lockedMicros),
      spent: moneyDto(escrow.spentMicros),
      withdrawn: moneyDto(escrow.withdrawnMicros),
      openBreaks: account.openBreaks,
      platform: platformDto(await this.store.platform()),
    };
  }
}
