import { LOGGER } from '@gridbourse/api';
import { EventContext, OnEvent } from '@gridbourse/event-bus';
import { chainEventObserved, chainEventRetracted, type EventOf } from '@gridbourse/events';
import type { Logger } from '@gridbourse/observability';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  hearOfOpening,
  hearOfRetraction,
  hearOfSpendingLimit,
  hearOfStop,
} from '../../domain/process/money.ts';
import { Matchmaker } from '../../writer/matchmaker.ts';

const ownTransaction = { transaction: 'handler' } as const;

/** A lease is funded when the chain says so, and by nobody else's word. */
@Controller()
export class ChainEventsConsumer {
  constructor(
    private readonly matchmaker: Matchmaker,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @OnEvent(chainEventObserved, ownTransaction)
  async onObserved(
    @Payload() { log, txHash }: EventOf<typeof chainEventObserved>,
    @Ctx() context: EventContext,
  ) {
    if (log.name === 'SpendingLimitSet') {
      await this.matchmaker.execute((unit) => hearOfSpendingLimit(unit, log.tenant), { context });
    }
    if (log.name === 'LeaseStopped') {
      await this.matchmaker.execute((unit) => hearOfStop(unit, log), { context });
    }
    if (log.name !== 'LeaseOpened') return;
    const heard = await this.matchmaker.execute((unit) => hearOfOpening(unit, log), { context });
    if (heard === 'terms_differ') {
      this.logger.error(
        { leaseRef: log.leaseRef, txHash },
        'a lease was opened on chain on other terms than agreed',
      );
    }
  }

  @OnEvent(chainEventRetracted, ownTransaction)
  async onRetracted(@Payload() { log }: EventOf<typeof chainEventRetracted>, @Ctx() context: EventContext) {
    if (log.name !== 'LeaseOpened') return;
    await this.matchmaker.execute((unit) => hearOfRetraction(unit, log), { context });
  }
}
