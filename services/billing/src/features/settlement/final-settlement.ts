import { RANDOM } from '@gridbourse/api';
import { encodeCloseLease } from '@gridbourse/chain';
import { type Instant, type LeaseId, newId, type Random } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import type { LeaseSession } from '../../adapters/lease.store.ts';
import { Relayer } from '../../adapters/relayer.ts';
import { SettlementStore } from '../../adapters/settlement.store.ts';
import { settlementDue } from '../../domain/lease.ts';

/** Closes leases on chain: pays the last difference and refunds the rest of the lock. */
@Injectable()
export class FinalSettlement {
  constructor(
    private readonly settlements: SettlementStore,
    private readonly relayer: Relayer,
    @Inject(RANDOM) private readonly random: Random,
  ) {}

  /** Intends the final settlement of those of the leases that are due for it; the caller saves the session. */
  async request(session: LeaseSession, leaseIds: readonly LeaseId[], now: Instant): Promise<number> {
    const due = leaseIds.flatMap((leaseId) => {
      const lease = session.get(leaseId);
      const settlement = settlementDue(lease, now);
      if (settlement?.kind !== 'final' || lease.leaseKey === null) return [];
      const settlementId = newId('settlement', now, this.random);
      session.put({ ...lease, inFlight: { settlementId, kind: 'final' } });
      const intentId = `close:${settlementId}`;
      return [{ ...settlement, settlementId, leaseId, leaseKey: lease.leaseKey, intentId }];
    });
    if (due.length === 0) return 0;
    await this.settlements.draft(session.manager, due, now);
    await this.relayer.request(
      session.manager,
      due.map(({ intentId, leaseId, leaseKey, cumulativeMicros }) => ({
        id: intentId,
        data: encodeCloseLease(leaseKey, cumulativeMicros),
        shardKey: leaseId,
      })),
    );
    return due.length;
  }
}
