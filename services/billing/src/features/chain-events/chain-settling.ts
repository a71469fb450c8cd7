import type { BillingEvent } from '@gridbourse/events';
import type { Instant, Micros } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ChainLogStore } from '../../adapters/chain-log.store.ts';
import type { LeaseSession } from '../../adapters/lease.store.ts';
import { type LogPlace, SettlementStore } from '../../adapters/settlement.store.ts';
import type { ChainEvent } from '../../domain/chain-postings.ts';
import {
  type BilledLease,
  closedOnChain,
  closingRetracted,
  relocked,
  settlementArrived,
  settlementFailed,
} from '../../domain/lease.ts';
import { unchangedLock } from '../../domain/rating.ts';
import { decideSettlement, type Settlement, type SettlementCommand } from '../../domain/settlement.ts';
import { FinalSettlement } from '../settlement/final-settlement.ts';

type Closing = Extract<ChainEvent['log'], { name: 'LeaseClosed' }>;
type Settled = Extract<ChainEvent['log'], { name: 'LeasesSettled' }>;

/** Reasons for which the same row may pass later; the others will never pass. */
const PASSES_LATER = new Set(['more_than_earned', 'unknown_lease']);

const placeOf = ({ chainId, blockHash, logIndex }: ChainEvent): LogPlace => ({
  chainId,
  blockHash,
  logIndex,
});

/** What the logs of the chain mean to leases and their settlements. */
@Injectable()
export class ChainSettling {
  constructor(
    private readonly settlements: SettlementStore,
    private readonly chainLogs: ChainLogStore,
    private readonly finals: FinalSettlement,
  ) {}

  async apply(session: LeaseSession, event: ChainEvent, now: Instant): Promise<void> {
    const { log } = event;
    switch (log.name) {
      case 'LeaseOpened': {
        const lease = session.withRef(log.leaseRef);
        if (!lease) return; // a lease that the market does not know: reconciliation finds it
        session.put({ ...lease, leaseKey: log.leaseKey, openedAtMs: event.blockTimeMs });
        // The market may have let go of it while it was on its way.
        await this.finals.request(session, [lease.leaseId], now);
        return;
      }
      case 'LeaseExtended':
      case 'LeaseStopped':
        return this.relock(session, now);
      case 'LeasesSettled':
        return this.applyBatch(session, event, log, now);
      case 'LeaseClosed':
        return this.applyClosing(session, event, log, now);
      default:
    }
  }

  async takeBack(session: LeaseSession, event: ChainEvent, now: Instant): Promise<void> {
    if (event.log.name === 'LeaseExtended' || event.log.name === 'LeaseStopped') {
      return this.relock(session, now);
    }
    const leases = session.all();
    const paid = await this.chainLogs.paidByKey(
      session.manager,
      leases.flatMap(({ leaseKey }) => (leaseKey === null ? [] : [leaseKey])),
    );
    const retracted = new Map<string, Settlement>();
    for (const settlement of await this.settlements.ofLog(session.manager, placeOf(event))) {
      const { next } = decideSettlement({ type: 'Retract' }, settlement);
      retracted.set(next.leaseId, next);
    }
    await this.settlements.save(session.manager, [...retracted.values()], now);
    for (const lease of leases) {
      const settled: Micros = paid.get(lease.leaseKey ?? '') ?? 0n;
      const settlement = retracted.get(lease.leaseId);
      // The transaction is still ours to see included again: until then it is in flight.
      const inFlight = settlement ?? null;
      if (event.log.name === 'LeaseOpened') session.put({ ...lease, openedAtMs: null });
      else if (event.log.name === 'LeaseClosed')
        session.put({ ...closingRetracted(lease, settled), inFlight });
      else session.put({ ...lease, settledMicros: settled, inFlight: lease.inFlight ?? inFlight });
    }
  }

  /**
   * A lock that grew or shrank, or did not after all: what it is now follows from the logs that stand. A settlement in
   * flight above a lock that shrank is refused by the contract, and comes again with what the lock bears.
   */
  private async relock(session: LeaseSession, now: Instant): Promise<void> {
    const leases = session.all();
    const keys = leases.flatMap(({ leaseKey }) => (leaseKey === null ? [] : [leaseKey]));
    const changes = await this.chainLogs.lockChanges(session.manager, keys);
    for (const lease of leases) {
      const lockChange = changes.get(lease.leaseKey ?? '') ?? unchangedLock;
      const { lease: next, events } = relocked(lease, lockChange, now);
      session.put(next, events);
    }
  }

  /** Irreversible: the settlements that this log confirmed are done. */
  async finalize(manager: EntityManager, event: ChainEvent, now: Instant): Promise<void> {
    const confirmed = await this.settlements.ofLog(manager, placeOf(event));
    const finalized = confirmed.map((settlement) => decideSettlement({ type: 'Finalize' }, settlement).next);
    await this.settlements.save(manager, finalized, now);
  }

  private async applyBatch(
    session: LeaseSession,
    event: ChainEvent,
    log: Settled,
    now: Instant,
  ): Promise<void> {
    const open = await this.openSettlements(session);
    const confirmed: Settlement[] = [];
    const skipped: Settlement[] = [];
    for (const row of log.rows) {
      const lease = session.withKey(row.leaseKey);
      if (!lease) continue;
      const settlement = pick(open, lease, 'interim', row.settledMicros);
      const { paidMicros, settledMicros } = row;
      const paid = { ...lease, settledMicros };
      if (!settlement) {
        session.put(paid);
        continue;
      }
      const confirm: SettlementCommand = { type: 'Confirm', txHash: event.txHash, paidMicros, now };
      const { next, events } = decideSettlement(confirm, settlement);
      confirmed.push(next);
      session.put(settlementArrived(paid, settlement.settlementId), events);
    }
    for (const row of log.skipped) {
      const lease = session.withKey(row.leaseKey);
      const settlement = lease && pick(open, lease, 'interim', row.cumulativeMicros);
      if (!settlement) continue;
      const retryable = PASSES_LATER.has(row.reason);
      skipped.push(decideSettlement({ type: 'Fail', reason: row.reason, retryable }, settlement).next);
      session.put(settlementFailed(lease, settlement.settlementId, now));
    }
    await this.settlements.save(session.manager, confirmed, now, placeOf(event));
    await this.settlements.save(session.manager, skipped, now);
  }

  private async applyClosing(
    session: LeaseSession,
    event: ChainEvent,
    log: Closing,
    now: Instant,
  ): Promise<void> {
    const lease = session.withKey(log.leaseKey);
    if (!lease) return;
    const open = await this.openSettlements(session);
    const settlement = pick(open, lease, 'final', log.settledMicros);
    const events: BillingEvent[] = [];
    if (settlement) {
      const { paidMicros } = log;
      const decision = decideSettlement(
        { type: 'Confirm', txHash: event.txHash, paidMicros, now },
        settlement,
      );
      events.push(...decision.events);
      await this.settlements.save(session.manager, [decision.next], now, placeOf(event));
    }
    const overtaken = (open.get(lease.leaseId) ?? [])
      .filter((other) => other !== settlement && (other.state === 'drafted' || other.state === 'submitted'))
      .map((other) => decideSettlement({ type: 'Fail', reason: 'closed', retryable: false }, other).next);
    await this.settlements.save(session.manager, overtaken, now);
    const closed = closedOnChain(settlementArrived(lease, settlement?.settlementId ?? ''), {
      paidMicros: log.settledMicros,
      refundedMicros: log.refundedMicros,
      txHash: event.txHash,
      closedAtMs: event.blockTimeMs,
      now,
    });
    session.put(closed.lease, [...events, ...closed.events]);
  }

  private async openSettlements(session: LeaseSession): Promise<ReadonlyMap<string, readonly Settlement[]>> {
    const ids = session.all().map(({ leaseId }) => leaseId);
    const byLease = new Map<string, Settlement[]>();
    for (const settlement of await this.settlements.unconfirmed(session.manager, ids)) {
      byLease.set(settlement.leaseId, [...(byLease.get(settlement.leaseId) ?? []), settlement]);
    }
    return byLease;
  }
}

/** The settlement that a row of the chain answers: the one in flight, or else the latest of that amount. */
const pick = (
  open: ReadonlyMap<string, readonly Settlement[]>,
  lease: BilledLease,
  kind: Settlement['kind'],
  cumulativeMicros: Micros,
): Settlement | undefined => {
  const candidates = (open.get(lease.leaseId) ?? []).filter(
    (settlement) => settlement.kind === kind && settlement.cumulativeMicros === cumulativeMicros,
  );
  return (
    candidates.find(({ settlementId }) => settlementId === lease.inFlight?.settlementId) ?? candidates[0]
  );
};
