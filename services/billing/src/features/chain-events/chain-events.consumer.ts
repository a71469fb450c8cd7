import { LOGGER } from '@gridbourse/api';
import { EventContext, OnEvent } from '@gridbourse/event-bus';
import {
  chainEventFinalized,
  chainEventObserved,
  chainEventRetracted,
  chainHalted,
  type ChainEventObserved,
  type EventOf,
} from '@gridbourse/events';
import type { Logger } from '@gridbourse/observability';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { Transactions } from '../../adapters/transactions.ts';
import { ChainBooking } from './chain-booking.ts';

/** The logs of the market can be told again: the tables of the chain's word are made of them. */
const ofMarket = {
  transaction: 'handler',
  journal: ({ contract }: Pick<ChainEventObserved, 'contract'>) => contract === 'ComputeMarket',
} as const;

/** The chain's word. One contract is one key of the bus, so its logs and retractions come in the order of the chain. */
@Controller()
export class ChainEventsConsumer {
  constructor(
    private readonly transactions: Transactions,
    private readonly booking: ChainBooking,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @OnEvent(chainEventObserved, ofMarket)
  onObserved(
    @Payload() event: EventOf<typeof chainEventObserved>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    return this.transactions.once(context, (manager) =>
      this.booking.hear(manager, 'observed', event, context.heardAtMs),
    );
  }

  @OnEvent(chainEventFinalized, ofMarket)
  onFinalized(
    @Payload() event: EventOf<typeof chainEventFinalized>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    return this.transactions.once(context, (manager) =>
      this.booking.hear(manager, 'finalized', event, context.heardAtMs),
    );
  }

  @OnEvent(chainEventRetracted, ofMarket)
  onRetracted(
    @Payload() event: EventOf<typeof chainEventRetracted>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    return this.transactions.once(context, (manager) =>
      this.booking.hear(manager, 'retracted', event, context.heardAtMs),
    );
  }

  /** Nothing is concluded from it: money waits until the indexer vouches for the chain again. */
  @OnEvent(chainHalted)
  onHalted(@Payload() event: EventOf<typeof chainHalted>): void {
    this.logger.error({ contract: event.contract, reason: event.reason }, 'the chain indexer has halted');
  }
}
