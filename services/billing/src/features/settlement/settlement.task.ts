import { CLOCK, PeriodicTasks, RANDOM, SERVICE_CONFIG } from '@gridbourse/api';
import { encodeSettleBatch } from '@gridbourse/chain';
import { type Clock, newId, type Random } from '@gridbourse/kernel';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { LeaseStore } from '../../adapters/lease.store.ts';
import { Relayer } from '../../adapters/relayer.ts';
import { SettlementStore } from '../../adapters/settlement.store.ts';
import { Transactions } from '../../adapters/transactions.ts';
import type { BillingConfig } from '../../billing.config.ts';
import { settlementDue } from '../../domain/lease.ts';
import { FinalSettlement } from './final-settlement.ts';

/** Open leases that have earned more than was settled, the longest waiting first. */
const INTERIM_DUE = `
  SELECT * FROM leases
  WHERE opened_at_ms IS NOT NULL AND closed_at_ms IS NULL AND meter_closed_at_ms IS NULL AND lapsed_at_ms IS NULL
    AND in_flight_id IS NULL AND earned_micros > settled_micros AND coalesce(retry_not_before_ms, 0) <= $1
  ORDER BY owed_since_ms LIMIT $2 FOR UPDATE SKIP LOCKED`;
/** Leases at their end that are not closed on chain: those whose first attempt failed, or was lost with a reorg. */
const FINAL_DUE = `
  SELECT * FROM leases
  WHERE opened_at_ms IS NOT NULL AND closed_at_ms IS NULL
    AND (meter_closed_at_ms IS NOT NULL OR lapsed_at_ms IS NOT NULL)
    AND in_flight_kind IS DISTINCT FROM 'final' AND coalesce(retry_not_before_ms, 0) <= $1
  ORDER BY owed_since_ms LIMIT $2 FOR UPDATE SKIP LOCKED`;

/** Rounds of one run: what is left comes with the next. */
const MAX_ROUNDS = 20;

/** Pays in batches what open leases have earned, and looks after closings that did not go through. */
@Injectable()
export class SettlementTask implements OnApplicationBootstrap {
  constructor(
    private readonly tasks: PeriodicTasks,
    private readonly transactions: Transactions,
    private readonly leases: LeaseStore,
    private readonly settlements: SettlementStore,
    private readonly finals: FinalSettlement,
    private readonly relayer: Relayer,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(RANDOM) private readonly random: Random,
    @Inject(SERVICE_CONFIG) private readonly config: BillingConfig,
  ) {}

  onApplicationBootstrap(): void {
    this.tasks.every(
      { name: 'settle', everyMs: this.config.settleEveryMs, singleOwner: true },
      async (signal) => void (await this.settleInterim(signal)),
    );
    this.tasks.every(
      { name: 'settle-finals', everyMs: this.config.retryEveryMs, singleOwner: true },
      async (signal) => void (await this.settleFinals(signal)),
    );
  }

  /** @returns how many leases were put into batches */
  settleInterim(signal?: AbortSignal): Promise<number> {
    return this.rounds(signal, async (manager) => {
      const now = this.clock.now();
      const session = await this.leases.lockDue(manager, INTERIM_DUE, [now, this.config.settleBatchSize]);
      const intentId = `settle:${newId('transaction', now, this.random)}`;
      const rows = session.all().flatMap((lease) => {
        const due = settlementDue(lease, now);
        if (due?.kind !== 'interim' || lease.leaseKey === null) return [];
        const settlementId = newId('settlement', now, this.random);
        session.put({ ...lease, inFlight: { settlementId, kind: 'interim' } });
        return [{ ...due, settlementId, leaseId: lease.leaseId, leaseKey: lease.leaseKey, intentId }];
      });
      if (rows.length > 0) {
        await this.settlements.draft(manager, rows, now);
        const data = encodeSettleBatch(rows);
        await this.relayer.request(manager, [{ id: intentId, data, shardKey: intentId }]);
      }
      await session.save(now);
      return rows.length;
    });
  }

  /** @returns how many closings were intended again */
  settleFinals(signal?: AbortSignal): Promise<number> {
    return this.rounds(signal, async (manager) => {
      const now = this.clock.now();
      const session = await this.leases.lockDue(manager, FINAL_DUE, [now, this.config.settleBatchSize]);
      const ids = session.all().map((lease) => lease.leaseId);
      const requested = await this.finals.request(session, ids, now);
      await session.save(now);
      return requested;
    });
  }

  private async rounds(
    signal: AbortSignal | undefined,
    round: (manager: EntityManager) => Promise<number>,
  ): Promise<number> {
    let total = 0;
    for (let i = 0; i < MAX_ROUNDS && signal?.aborted !== true; i += 1) {
      const done = await this.transactions.run(round);
      total += done;
      if (done < this.config.settleBatchSize) break;
    }
    return total;
  }
}
