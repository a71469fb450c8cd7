import { CLOCK, LOGGER } from '@gridbourse/api';
import type { Revert, TxOutcome, TxSigned } from '@gridbourse/chain';
import type { Clock, LeaseId } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ChainTransactionStore } from '../../adapters/chain-transaction.store.ts';
import { LeaseStore } from '../../adapters/lease.store.ts';
import { intentKindOf } from '../../adapters/relayer.ts';
import { SettlementStore } from '../../adapters/settlement.store.ts';
import { settlementFailed } from '../../domain/lease.ts';
import { decideSettlement, type SettlementCommand } from '../../domain/settlement.ts';
import { fundingFailureOf } from '../funding/funding-failure.ts';

const leaseOfOpening = (intentId: string): LeaseId => intentId.slice('open:'.length) as LeaseId;

/**
 * What became of our transactions. Success is never taken from here: money and leases move when the indexer shows the
 * event. From here come failures, times and costs. Every method may be told the same again.
 */
@Injectable()
export class TransactionOutcomes {
  constructor(
    private readonly leases: LeaseStore,
    private readonly settlements: SettlementStore,
    private readonly transactions: ChainTransactionStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Signed and stored, about to be sent. */
  async onSigned(signed: TxSigned, manager: EntityManager): Promise<void> {
    const kind = intentKindOf(signed.id);
    const { txHash, atMs: submittedAtMs } = signed;
    const rows =
      kind === 'open' ? 1 : await this.settle(manager, signed.id, { type: 'Submit', txHash, submittedAtMs });
    await this.transactions.signed(manager, { txHash, intentId: signed.id, kind, submittedAtMs, rows });
  }

  async onOutcome(outcome: TxOutcome, manager: EntityManager): Promise<void> {
    if (outcome.status !== 'rejected') await this.transactions.mined(manager, outcome);
    if (outcome.status === 'confirmed') return;
    const revert = outcome.error ?? { code: 'UnknownRevert', message: 'the transaction reverted', args: {} };
    this.logger.warn(
      { intent: outcome.id, txHash: outcome.txHash, code: revert.code },
      'the chain refused a transaction',
    );
    if (intentKindOf(outcome.id) === 'open') {
      await this.openingFailed(manager, leaseOfOpening(outcome.id), revert);
      return;
    }
    // A closed lease stays closed; every other refusal may be one of the moment (time not earned yet, paused).
    const retryable = revert.code !== 'LeaseNotOpen';
    await this.settle(manager, outcome.id, { type: 'Fail', reason: revert.code, retryable });
  }

  private async openingFailed(manager: EntityManager, leaseId: LeaseId, revert: Revert): Promise<void> {
    const now = this.clock.now();
    const session = await this.leases.lock(manager, [leaseId]);
    const lease = session.get(leaseId);
    if (lease.opening !== 'requested' || lease.openedAtMs !== null) return;
    const failed = { ...lease, opening: 'failed' as const };
    const told = lease.lapsedAtMs !== null; // the market has let go of it already
    session.put(
      failed,
      told ? [] : [{ type: 'LeaseFundingFailed', leaseId, ...fundingFailureOf(revert), atMs: now }],
    );
    await session.save(now);
  }

  /** @returns how many settlements the intent carries */
  private async settle(
    manager: EntityManager,
    intentId: string,
    command: SettlementCommand,
  ): Promise<number> {
    const now = this.clock.now();
    const ids = (await this.settlements.ofIntent(manager, intentId)).map(({ leaseId }) => leaseId);
    const session = await this.leases.lock(manager, ids);
    // Read again: the leases are locked now.
    const settlements = await this.settlements.ofIntent(manager, intentId);
    const decided = settlements.map((settlement) => {
      const { next, events } = decideSettlement(command, settlement);
      const lease = session.get(settlement.leaseId);
      const failed = command.type === 'Fail' && next !== settlement;
      session.put(failed ? settlementFailed(lease, settlement.settlementId, now) : lease, events);
      return next;
    });
    await this.settlements.save(manager, decided, now);
    await session.save(now);
    return settlements.length;
  }
}
