import { EventContext, OnEvent } from '@gridbourse/event-bus';
import {
  type BillingEvent,
  escrowChanged,
  escrowExhausted,
  escrowLow,
  type EventOf,
  leaseFundingFailed,
  leaseSettled,
  leaseTermChanged,
  settlementConfirmed,
} from '@gridbourse/events';
import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  hearOfEscrow,
  hearOfExhaustion,
  hearOfFundingFailure,
  hearOfSettlement,
  hearOfTerm,
} from '../../domain/process/money.ts';
import type { UnitOfWork } from '../../domain/process/unit-of-work.ts';
import { noteLifeEvent, saveBalance } from '../../read-models/projection.ts';
import { Matchmaker } from '../../writer/matchmaker.ts';

/** What is heard can be told again: read models are made of it. */
const ownTransaction = { transaction: 'handler', journal: true } as const;

/** What billing says of money: of a tenant's escrow, and of single leases. */
@Controller()
export class BillingEventsConsumer {
  constructor(private readonly matchmaker: Matchmaker) {}

  @OnEvent(escrowChanged, ownTransaction)
  async onEscrowChanged(@Payload() event: EventOf<typeof escrowChanged>, @Ctx() context: EventContext) {
    await this.matchmaker.execute((unit) => hearOfEscrow(unit, event), {
      context,
      alsoWrite: async (manager, heard) => {
        if (heard === 'noted') {
          await saveBalance(manager, event.accountId, { freeMicros: event.freeMicros, atMs: event.atMs });
        }
      },
    });
  }

  @OnEvent(leaseFundingFailed, ownTransaction)
  onFundingFailed(@Payload() event: EventOf<typeof leaseFundingFailed>, @Ctx() context: EventContext) {
    return this.hear(event, context, (unit) => hearOfFundingFailure(unit, event));
  }

  @OnEvent(escrowLow, ownTransaction)
  onEscrowLow(@Payload() event: EventOf<typeof escrowLow>, @Ctx() context: EventContext) {
    return this.hear(event, context, () => undefined);
  }

  @OnEvent(escrowExhausted, ownTransaction)
  onExhausted(@Payload() event: EventOf<typeof escrowExhausted>, @Ctx() context: EventContext) {
    return this.hear(event, context, (unit) => hearOfExhaustion(unit, event));
  }

  @OnEvent(leaseTermChanged, ownTransaction)
  onTermChanged(@Payload() event: EventOf<typeof leaseTermChanged>, @Ctx() context: EventContext) {
    return this.hear(event, context, (unit) => hearOfTerm(unit, event));
  }

  @OnEvent(settlementConfirmed, ownTransaction)
  onSettlementConfirmed(@Payload() event: EventOf<typeof settlementConfirmed>, @Ctx() context: EventContext) {
    return this.hear(event, context, () => undefined);
  }

  @OnEvent(leaseSettled, ownTransaction)
  onSettled(@Payload() event: EventOf<typeof leaseSettled>, @Ctx() context: EventContext) {
    return this.hear(event, context, (unit) => hearOfSettlement(unit, event));
  }

  private async hear(
    event: Extract<BillingEvent, { leaseId: unknown }>,
    context: EventContext,
    work: (unit: UnitOfWork) => void,
  ): Promise<void> {
    const order = this.matchmaker.exchange.lease(event.leaseId)?.orderId;
    await this.matchmaker.execute(work, {
      context,
      alsoWrite: (manager, _, at) => noteLifeEvent(manager, event.leaseId, event, at),
      ...(order === undefined ? {} : { concerns: [order] }),
    });
  }
}
