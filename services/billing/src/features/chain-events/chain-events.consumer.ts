import { CLOCK, LOGGER } from '@gridbourse/api';
import { EventContext, OnEvent } from '@gridbourse/event-bus';
import {
  chainEventFinalized,
  chainEventObserved,
  chainEventRetracted,
  chainHalted,
  type EventOf,
} from '@gridbourse/events';
import type { Clock } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { Transactions } from '../../adapters/transactions.ts';
import { ChainBooking } from './chain-booking.ts';

/** The chain's word. One contract is one key of the bus, so its logs and retractions come in the order of the chain. */
@Controller()
export class ChainEventsConsumer {
  constructor(
    private readonly transactions: Transactions,
    private readonly booking: ChainBooking,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @OnEvent(chainEventObserved, { transaction: 'handler' })
  onObserved(
    @Payload() event: EventOf<typeof chainEventObserved>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    return this.transactions.once(context, (manager) =>
      this.booking.hear(manager, 'observed', event, this.clock.now()),
    );
  }

  @OnEvent(chainEventFinalized, { transaction: 'handler' })
  onFinalized(
    @Payload() event: EventOf<typeof chainEventFinalized>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    return this.transactions.once(context, (manager) =>
      this.booking.hear(manager, 'finalized', event, this.clock.now()),
    );
  }

  @OnEvent(chainEventRetracted, { transaction: 'handler' })
  onRetracted(
    @Payload() event: EventOf<typeof chainEventRetracted>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    return this.transactions.once(context, (manager) =>
      this.booking.hear(manager, 'retracted', event, this.clock.now()),
    );
  }

  /** Nothing is concluded from it: money waits until the indexer vouches for the chain again. */
  @OnEvent(chainHalted)
  onHalted(@Payload() event: EventOf<typeof chainHalted>): void {
    this.logger.error({ contract: event.contract, reason: event.reason }, 'the chain indexer has halted');
  }
}
