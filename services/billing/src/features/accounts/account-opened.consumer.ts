import { CLOCK } from '@gridbourse/api';
import { EventContext, OnEvent } from '@gridbourse/event-bus';
import { accountOpened, type EventOf } from '@gridbourse/events';
import type { Clock } from '@gridbourse/kernel';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { TenantStore } from '../../adapters/tenant.store.ts';

/** Money that a wallet deposited before it had an account becomes the account's. */
@Controller()
export class AccountOpenedConsumer {
  constructor(
    private readonly tenants: TenantStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @OnEvent(accountOpened)
  async onAccountOpened(
    @Payload() event: EventOf<typeof accountOpened>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await this.tenants.attribute(context.manager, event.wallet, event.accountId);
    const books = await this.tenants.read(context.manager, event.wallet);
    if (books.depositedMicros > 0n) {
      await this.tenants.announce(context.manager, [event.wallet], this.clock.now());
    }
  }
}
