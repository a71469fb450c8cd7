import { EventContext, OnEvent } from '@gridbourse/event-bus';
import { accountOpened, apiKeyIssued, apiKeyRevoked, type EventOf } from '@gridbourse/events';
import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { AccountDirectory } from './account-directory.ts';
import { saveAccount, saveApiKey, saveApiKeyRevocation } from './account-tables.ts';

/** Keeps this service's copy of accounts and API keys, so that it can check callers without asking anybody. */
@Controller()
export class AccountReplica {
  constructor(private readonly directory: AccountDirectory) {}

  @OnEvent(accountOpened)
  async onAccountOpened(
    @Payload() event: EventOf<typeof accountOpened>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await saveAccount(context.manager, event);
  }

  @OnEvent(apiKeyIssued)
  async onApiKeyIssued(
    @Payload() event: EventOf<typeof apiKeyIssued>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await saveApiKey(context.manager, event);
  }

  @OnEvent(apiKeyRevoked)
  async onApiKeyRevoked(
    @Payload() event: EventOf<typeof apiKeyRevoked>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await saveApiKeyRevocation(context.manager, event);
    this.directory.forgetKey(event.apiKeyId);
  }
}
