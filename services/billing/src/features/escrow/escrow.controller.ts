import {
  Caller,
  decodeCursor,
  money,
  moneyDto,
  page,
  pageQuery,
  type PageQuery,
  RequireScopes,
  Returns,
  SERVICE_CONFIG,
  toPage,
} from '@gridbourse/api';
import { type Micros, rfc3339 } from '@gridbourse/kernel';
import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { ChainLogStore } from '../../adapters/chain-log.store.ts';
import { TenantStore } from '../../adapters/tenant.store.ts';
import type { BillingConfig } from '../../billing.config.ts';
import type { SpendingLimit } from '../../domain/funding.ts';

const escrow = z
  .object({
    deposited: money,
    free: money,
    locked: money,
    spent: money,
    withdrawn: money,
    /** All that a wallet needs to deposit. */
    chain: z.object({
      chainId: z.int(),
      rpcUrl: z.string(),
      computeMarket: z.string(),
      usdc: z.string(),
    }),
    /** What the market may spend for the tenant, set on chain; null: nothing yet, so no lease can be opened. */
    spendingLimit: z.object({ maxRatePerHour: money, maxLocked: money, validUntil: z.string() }).nullable(),
  })
  .meta({ id: 'Escrow' });

const entry = z
  .object({
    entryId: z.string(),
    at: z.string(),
    kind: z.enum(['deposit', 'withdrawal', 'lock', 'payment', 'refund', 'claim']),
    account: z.enum(['free', 'locked']),
    leaseId: z.string().nullable(),
    /** Negative where money left the account. */
    amount: money,
    /** Of that account, after the entry. */
    balance: money,
    /** Undoes an earlier entry, because the chain took its block back. */
    correction: z.boolean(),
    txHash: z.string().nullable(),
    transferId: z.string(),
  })
  .meta({ id: 'EscrowEntry' });

const ENTRIES = `
  SELECT e.entry_id, t.effective_at_ms, t.kind, a.kind AS account, l.lease_id, e.delta_micros, e.new_micros,
         t.corrects_id IS NOT NULL AS correction, c.tx_hash, t.transfer_id
  FROM ledger_entries e
  JOIN ledger_transfers t USING (transfer_id)
  JOIN ledger_accounts a USING (account_id)
  LEFT JOIN leases l ON l.lease_key = t.lease_key
  LEFT JOIN chain_logs c ON c.chain_id = split_part(t.transfer_id, '/', 1)::bigint
    AND c.block_hash = split_part(t.transfer_id, '/', 2) AND c.log_index = split_part(t.transfer_id, '/', 3)::int
  WHERE e.tenant = $1 AND e.entry_id < $2 ORDER BY e.entry_id DESC LIMIT $3`;

type EntryRow = {
  entry_id: string;
  effective_at_ms: string;
  kind: z.output<typeof entry>['kind'];
  account: 'free' | 'locked';
  lease_id: string | null;
  delta_micros: string;
  new_micros: string;
  correction: boolean;
  tx_hash: string | null;
  transfer_id: string;
};

const END = '9223372036854775807';
/** Later than any calendar we can write: a limit without an end. */
const MAX_DATE_SECONDS = 253_402_300_799;

const limitDto = (limit: SpendingLimit | null): z.output<typeof escrow>['spendingLimit'] =>
  limit && {
    maxRatePerHour: moneyDto(limit.maxRateMicrosPerHour),
    maxLocked: moneyDto(limit.maxLockedMicros),
    validUntil: rfc3339(Math.min(limit.validUntilSeconds, MAX_DATE_SECONDS) * 1_000),
  };

@ApiTags('escrow')
@Controller('v1/escrow')
export class EscrowController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly tenants: TenantStore,
    private readonly chainLogs: ChainLogStore,
    @Inject(SERVICE_CONFIG) private readonly config: BillingConfig,
  ) {}

  /** What the tenant has in escrow, and where to deposit. */
  @Get()
  @RequireScopes('escrow:read')
  @Returns(200, escrow)
  async show(@Caller() caller: Caller): Promise<z.output<typeof escrow>> {
    const { manager } = this.dataSource;
    const books = await this.tenants.read(manager, caller.wallet);
    const limit = await this.chainLogs.spendingLimitOf(manager, caller.wallet);
    const { chainId, contracts } = this.config.deployment;
    return {
      deposited: moneyDto(books.depositedMicros),
      free: moneyDto(books.freeMicros),
      locked: moneyDto(books.lockedMicros),
      spent: moneyDto(books.spentMicros),
      withdrawn: moneyDto(books.withdrawnMicros),
      chain: {
        chainId,
        rpcUrl: this.config.publicRpcUrl,
        computeMarket: contracts.ComputeMarket,
        usdc: contracts.TestUSDC,
      },
      spendingLimit: limitDto(limit),
    };
  }

  /** The statement: every movement of the tenant's money, newest first. */
  @Get('entries')
  @RequireScopes('escrow:read')
  @Returns(200, page(entry))
  async entries(@Caller() caller: Caller, @Query({ schema: pageQuery }) query: PageQuery) {
    const [before] = decodeCursor(query.cursor, ['bigint']) ?? [END];
    const rows = await this.dataSource.query<EntryRow[]>(ENTRIES, [caller.wallet, before, query.limit + 1]);
    return toPage(rows, query.limit, (row) => [row.entry_id], entryDto);
  }
}

const entryDto = (row: EntryRow): z.output<typeof entry> => {
  const [amount, balance]: Micros[] = [BigInt(row.delta_micros), BigInt(row.new_micros)];
  return {
    entryId: row.entry_id,
    at: rfc3339(Number(row.effective_at_ms)),
    kind: row.kind,
    account: row.account,
    leaseId: row.lease_id,
    amount: moneyDto(amount!),
    balance: moneyDto(balance!),
    correction: row.correction,
    txHash: row.tx_hash,
    transferId: row.transfer_id,
  };
};
