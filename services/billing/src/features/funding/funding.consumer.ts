import { CLOCK } from '@gridbourse/api';
import { leaseRefOf } from '@gridbourse/chain';
import { EventContext, OnEvent } from '@gridbourse/event-bus';
import { type EventOf, leaseAccepted, leaseLapsed, leaseProposed, leaseRejected } from '@gridbourse/events';
import type { Clock, LeaseId } from '@gridbourse/kernel';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { EntityManager } from 'typeorm';
import { ChainLogStore } from '../../adapters/chain-log.store.ts';
import { LeaseStore } from '../../adapters/lease.store.ts';
import { Transactions } from '../../adapters/transactions.ts';
import { type Agreement, ringAlarms } from '../../domain/lease.ts';
import { FinalSettlement } from '../settlement/final-settlement.ts';
import { OpenLease } from './open-lease.ts';

type Proposed = EventOf<typeof leaseProposed>;

const agreementOf = (event: Proposed): Agreement => ({
  orderId: event.orderId,
  accountId: event.accountId,
  tenant: event.tenantWallet,
  providerId: event.providerId,
  chainProviderId: event.chainProviderId,
  offerId: event.offerId,
  groupName: event.group.name,
  rateMicrosPerHour: event.rateMicrosPerHour,
  durationSeconds: event.durationSeconds,
  lockMicros: event.lockMicros,
  listRateMicrosPerHour: event.listRateMicrosPerHour,
  leaseRef: leaseRefOf(event.leaseId),
  proposedAtMs: event.proposedAtMs,
});

/** From the agreement to the opening on chain, and back where the market has let go of the lease meanwhile. */
@Controller()
export class FundingConsumer {
  constructor(
    private readonly transactions: Transactions,
    private readonly leases: LeaseStore,
    private readonly chainLogs: ChainLogStore,
    private readonly openLease: OpenLease,
    private readonly finals: FinalSettlement,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @OnEvent(leaseProposed, { transaction: 'handler' })
  async onProposed(@Payload() event: Proposed, @Ctx() context: EventContext): Promise<void> {
    await this.transactions.once(context, async (manager) => {
      const now = this.clock.now();
      const session = await this.leases.lock(manager, [event.leaseId]);
      const agreement = agreementOf(event);
      const opening = await this.chainLogs.openingOf(manager, agreement.leaseRef);
      const agreed = { ...session.get(event.leaseId), agreement, ...opening };
      // What other services told before us may already mean something now.
      const rung = ringAlarms(agreed, now);
      session.put(rung.lease, rung.events);
      await this.finals.request(session, [event.leaseId], now);
      await session.save(now);
    });
  }

  @OnEvent(leaseAccepted, { transaction: 'handler' })
  async onAccepted(
    @Payload() event: EventOf<typeof leaseAccepted>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await this.transactions.once(context, (manager) => this.openLease.request(manager, event.leaseId));
  }

  @OnEvent(leaseLapsed, { transaction: 'handler' })
  async onLapsed(@Payload() event: EventOf<typeof leaseLapsed>, @Ctx() context: EventContext): Promise<void> {
    await this.transactions.once(context, (manager) => this.letGo(manager, event));
  }

  @OnEvent(leaseRejected, { transaction: 'handler' })
  async onRejected(
    @Payload() event: EventOf<typeof leaseRejected>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await this.transactions.once(context, (manager) => this.letGo(manager, event));
  }

  /** Never opened: never will be. Opened, or on its way: closed on chain with nothing paid, as soon as it is there. */
  private async letGo(manager: EntityManager, event: { leaseId: LeaseId; atMs: number }): Promise<void> {
    const now = this.clock.now();
    const session = await this.leases.lock(manager, [event.leaseId]);
    const lease = session.get(event.leaseId);
    session.put({ ...lease, lapsedAtMs: lease.lapsedAtMs ?? event.atMs });
    await this.finals.request(session, [event.leaseId], now);
    await session.save(now);
  }
}
