import type { ChainLog } from '@gridbourse/events';
import type { Instant } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ChainLogStore } from '../../adapters/chain-log.store.ts';
import { ChainTransactionStore } from '../../adapters/chain-transaction.store.ts';
import { LedgerStore } from '../../adapters/ledger.store.ts';
import { type LeaseSession, LeaseStore } from '../../adapters/lease.store.ts';
import { TenantStore } from '../../adapters/tenant.store.ts';
import type { Tidings } from '../../domain/chain-log-state.ts';
import { type ChainEvent, transfersOf } from '../../domain/chain-postings.ts';
import { mirrorOf } from '../../domain/ledger.ts';
import { ChainSettling } from './chain-settling.ts';

const SEEN_SERIAL = `
  INSERT INTO provider_serials (chain_provider_id, last_serial) VALUES ($1, $2)
  ON CONFLICT (chain_provider_id) DO UPDATE SET last_serial = greatest(provider_serials.last_serial, EXCLUDED.last_serial)`;

const leaseKeysOf = (log: ChainLog): readonly string[] => {
  switch (log.name) {
    case 'LeasesSettled':
      return [...log.rows, ...log.skipped].map(({ leaseKey }) => leaseKey);
    case 'LeaseExtended':
    case 'LeaseStopped':
    case 'LeaseClosed':
      return [log.leaseKey];
    default:
      return [];
  }
};

/** Books what the chain did, and takes back what it took back: ledger, leases, settlements, in one transaction. */
@Injectable()
export class ChainBooking {
  constructor(
    private readonly chainLogs: ChainLogStore,
    private readonly transactions: ChainTransactionStore,
    private readonly ledger: LedgerStore,
    private readonly leases: LeaseStore,
    private readonly tenants: TenantStore,
    private readonly settling: ChainSettling,
  ) {}

  async hear(manager: EntityManager, tidings: Tidings, event: ChainEvent, now: Instant): Promise<void> {
    if (event.contract !== 'ComputeMarket') return;
    // Leases are locked before anything else is, everywhere.
    const session = await this.lock(manager, event.log);
    const heard = await this.chainLogs.hear(manager, tidings, event, now);
    if (heard.effect === 'book') {
      await this.transactions.seen(manager, event.txHash, now);
      await this.settling.apply(session, event, now);
    }
    if (heard.effect === 'undo') await this.settling.takeBack(session, event, now);
    if (tidings === 'finalized') await this.settling.finalize(manager, event, now);
    await session.save(now);
    if (heard.effect === 'none') return;

    const caused = transfersOf(event, heard.next.incarnation);
    const changed = await this.ledger.apply(
      manager,
      heard.effect === 'book' ? caused : caused.map(mirrorOf),
      now,
    );
    // A limit moves no money, but an order may have waited for it.
    const limited = event.log.name === 'SpendingLimitSet' ? [event.log.tenant] : [];
    await this.tenants.announce(manager, [...new Set([...changed, ...limited])].sort(), now);
  }

  private async lock(manager: EntityManager, log: ChainLog): Promise<LeaseSession> {
    if (log.name !== 'LeaseOpened') return this.leases.lockKeys(manager, leaseKeysOf(log));
    const serial = BigInt(`0x${log.leaseKey.slice(10)}`).toString();
    const session = await this.leases.lockRefs(manager, [log.leaseRef]);
    await manager.query(SEEN_SERIAL, [log.chainProviderId, serial]);
    return session;
  }
}
