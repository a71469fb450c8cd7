import { Module } from '@nestjs/common';
import { ChainLogStore } from './adapters/chain-log.store.ts';
import { ChainTransactionStore } from './adapters/chain-transaction.store.ts';
import { ContractReader } from './adapters/contract-reader.ts';
import { LeaseStore } from './adapters/lease.store.ts';
import { LedgerStore } from './adapters/ledger.store.ts';
import { Relayer } from './adapters/relayer.ts';
import { SettlementStore } from './adapters/settlement.store.ts';
import { SignerRelayer } from './adapters/signer-relayer.ts';
import { TenantStore } from './adapters/tenant.store.ts';
import { Transactions } from './adapters/transactions.ts';
import { AccountOpenedConsumer } from './features/accounts/account-opened.consumer.ts';
import { BooksController } from './features/books/books.controller.ts';
import { BooksStore } from './features/books/books.store.ts';
import { ChainBooking } from './features/chain-events/chain-booking.ts';
import { ChainEventsConsumer } from './features/chain-events/chain-events.consumer.ts';
import { ChainSettling } from './features/chain-events/chain-settling.ts';
import { EscrowController } from './features/escrow/escrow.controller.ts';
import { FundingConsumer } from './features/funding/funding.consumer.ts';
import { OpenLease } from './features/funding/open-lease.ts';
import { MeteringConsumer } from './features/metering/metering.consumer.ts';
import { BreakBook } from './features/reconciliation/break-book.ts';
import { BreaksController } from './features/reconciliation/breaks.controller.ts';
import { LeaseViews } from './features/reconciliation/lease-views.ts';
import { ReconciliationTask } from './features/reconciliation/reconciliation.task.ts';
import { TenantViews } from './features/reconciliation/tenant-views.ts';
import { TransactionOutcomes } from './features/relaying/transaction-outcomes.ts';
import { FinalSettlement } from './features/settlement/final-settlement.ts';
import { SettlementTask } from './features/settlement/settlement.task.ts';
import { InvoicesController } from './features/statements/invoices.controller.ts';
import { OwnLease } from './features/statements/own-lease.ts';
import { SettlementsController } from './features/statements/settlements.controller.ts';
import { UsageController } from './features/statements/usage.controller.ts';
import { ZeroTimeTask } from './features/zero-time/zero-time.task.ts';

/** The one place where the parts of billing are wired. */
@Module({
  controllers: [
    AccountOpenedConsumer,
    ChainEventsConsumer,
    FundingConsumer,
    MeteringConsumer,
    BooksController,
    BreaksController,
    EscrowController,
    InvoicesController,
    SettlementsController,
    UsageController,
  ],
  providers: [
    BooksStore,
    BreakBook,
    ChainBooking,
    ChainLogStore,
    ChainSettling,
    ChainTransactionStore,
    ContractReader,
    FinalSettlement,
    LeaseStore,
    LeaseViews,
    LedgerStore,
    OpenLease,
    OwnLease,
    ReconciliationTask,
    { provide: Relayer, useClass: SignerRelayer },
    SettlementStore,
    SettlementTask,
    TenantStore,
    TenantViews,
    TransactionOutcomes,
    Transactions,
    ZeroTimeTask,
  ],
})
export class BillingModule {}
