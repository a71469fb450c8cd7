import { CLOCK } from '@gridbourse/api';
import { EventContext, OnEvent } from '@gridbourse/event-bus';
import {
  type EventOf,
  meterClosed,
  usageRecorded,
  workloadDegraded,
  workloadRunning,
  workloadUnknown,
} from '@gridbourse/events';
import { type Clock, conflict, type LeaseId } from '@gridbourse/kernel';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { EntityManager } from 'typeorm';
import { LeaseStore } from '../../adapters/lease.store.ts';
import { Transactions } from '../../adapters/transactions.ts';
import { type BilledLease, ringAlarms } from '../../domain/lease.ts';
import { meterCloses, meterCounts, meterPauses, meterRuns } from '../../domain/meter.ts';
import { fieldsOfUsage, recordUsage, type Usage } from '../../read-models/usage-read-model.ts';
import { FinalSettlement } from '../settlement/final-settlement.ts';

const CHANGED = `
  SELECT usage_id FROM usage_records WHERE usage_id = $1
    AND (lease_id, window_start_ms, window_end_ms, seconds, cumulative_seconds) IS DISTINCT FROM ($2, $3, $4, $5, $6)`;

/** How long a lease has run: the meter's records, and whether it goes on counting by our own clock. */
@Controller()
export class MeteringConsumer {
  constructor(
    private readonly transactions: Transactions,
    private readonly leases: LeaseStore,
    private readonly finals: FinalSettlement,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @OnEvent(workloadRunning, { transaction: 'handler' })
  onRunning(@Payload() event: EventOf<typeof workloadRunning>, @Ctx() context: EventContext): Promise<void> {
    return this.changed(context, event.leaseId, (lease) => ({
      ...lease,
      meter: meterRuns(lease.meter, event),
    }));
  }

  @OnEvent(workloadDegraded, { transaction: 'handler' })
  onDegraded(
    @Payload() event: EventOf<typeof workloadDegraded>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    return this.changed(context, event.leaseId, (lease) => ({
      ...lease,
      meter: meterPauses(lease.meter, event.atMs),
    }));
  }

  @OnEvent(workloadUnknown, { transaction: 'handler' })
  onUnknown(@Payload() event: EventOf<typeof workloadUnknown>, @Ctx() context: EventContext): Promise<void> {
    return this.changed(context, event.leaseId, (lease) => ({
      ...lease,
      meter: meterPauses(lease.meter, null),
    }));
  }

  @OnEvent(usageRecorded, { transaction: 'handler', journal: true })
  onUsage(@Payload() event: Usage, @Ctx() context: EventContext): Promise<void> {
    return this.changed(
      context,
      event.leaseId,
      (lease) => ({ ...lease, meter: meterCounts(lease.meter, event) }),
      (manager) => this.record(manager, event),
    );
  }

  @OnEvent(meterClosed, { transaction: 'handler' })
  async onMeterClosed(
    @Payload() event: EventOf<typeof meterClosed>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await this.transactions.once(context, async (manager) => {
      const now = this.clock.now();
      const session = await this.leases.lock(manager, [event.leaseId]);
      const lease = session.get(event.leaseId);
      session.put({
        ...lease,
        meter: meterCloses(lease.meter, event.totalSeconds),
        meterClosedAtMs: event.atMs,
      });
      await this.finals.request(session, [event.leaseId], now);
      await session.save(now);
    });
  }

  private async changed(
    context: EventContext,
    leaseId: LeaseId,
    change: (lease: BilledLease) => BilledLease,
    before: (manager: EntityManager) => Promise<boolean> = () => Promise.resolve(true),
  ): Promise<void> {
    await this.transactions.once(context, async (manager) => {
      const now = this.clock.now();
      const session = await this.leases.lock(manager, [leaseId]);
      if (!(await before(manager))) return;
      const rung = ringAlarms(change(session.get(leaseId)), now);
      session.put(rung.lease, rung.events);
      await session.save(now);
    });
  }

  /**
   * @returns whether the window is new
   * @throws DomainError `usage_changed`: the id of a recorded window with other figures is refused for ever
   */
  private async record(manager: EntityManager, event: Usage): Promise<boolean> {
    if (await recordUsage(manager, event)) return true;
    if ((await manager.query<unknown[]>(CHANGED, [...fieldsOfUsage(event)])).length > 0) {
      throw conflict('usage_changed', `usage ${event.usageId} is on record with other figures`);
    }
    return false;
  }
}
