import { EventContext, OnEvent } from '@gridbourse/event-bus';
import {
  eraClosed,
  type EventOf,
  offerPublished,
  offerWithdrawn,
  providerActivated,
  providerDeactivated,
  type ProviderEvent,
  providerOffline,
  providerOnline,
  providerRegistered,
  providerReinstated,
  providerSuspended,
  providerUnreachable,
  tierChanged,
} from '@gridbourse/events';
import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { hearOfProvider } from '../../domain/process/provider.ts';
import { saveMarketChange } from '../../read-models/projection.ts';
import { Matchmaker } from '../../writer/matchmaker.ts';

/** What is heard can be told again: read models are made of it. */
const ownTransaction = { transaction: 'handler', journal: true } as const;

/** The registry's words about providers and offers make the market that orders are matched against. */
@Controller()
export class ProviderEventsConsumer {
  constructor(private readonly matchmaker: Matchmaker) {}

  @OnEvent(providerRegistered, ownTransaction)
  onRegistered(@Payload() event: EventOf<typeof providerRegistered>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  @OnEvent(providerActivated, ownTransaction)
  onActivated(@Payload() event: EventOf<typeof providerActivated>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  @OnEvent(providerDeactivated, ownTransaction)
  onDeactivated(@Payload() event: EventOf<typeof providerDeactivated>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  @OnEvent(providerOnline, ownTransaction)
  onOnline(@Payload() event: EventOf<typeof providerOnline>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  @OnEvent(providerUnreachable, ownTransaction)
  onUnreachable(@Payload() event: EventOf<typeof providerUnreachable>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  @OnEvent(providerOffline, ownTransaction)
  onOffline(@Payload() event: EventOf<typeof providerOffline>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  @OnEvent(providerSuspended, ownTransaction)
  onSuspended(@Payload() event: EventOf<typeof providerSuspended>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  @OnEvent(providerReinstated, ownTransaction)
  onReinstated(@Payload() event: EventOf<typeof providerReinstated>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  @OnEvent(tierChanged, ownTransaction)
  onTierChanged(@Payload() event: EventOf<typeof tierChanged>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  @OnEvent(eraClosed, ownTransaction)
  onEraClosed(@Payload() event: EventOf<typeof eraClosed>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  @OnEvent(offerPublished, ownTransaction)
  onOfferPublished(@Payload() event: EventOf<typeof offerPublished>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  @OnEvent(offerWithdrawn, ownTransaction)
  onOfferWithdrawn(@Payload() event: EventOf<typeof offerWithdrawn>, @Ctx() context: EventContext) {
    return this.hear(event, context);
  }

  private async hear(event: ProviderEvent, context: EventContext): Promise<void> {
    await this.matchmaker.execute((unit) => hearOfProvider(unit, event, context.sequence), {
      context,
      alsoWrite: async (manager, change) => {
        if (change) await saveMarketChange(manager, change);
      },
    });
  }
}
