import { EventContext, OnEvent } from '@gridbourse/event-bus';
import { accountOpened, apiKeyIssued, apiKeyRevoked, type EventOf } from '@gridbourse/events';
import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { AccountDirectory } from './account-directory.ts';
import { applyAccountEvent } from './accounts-read-model.ts';

/** What is heard can be told again. */
const kept = { journal: true } as const;

/** Keeps this service's copy of accounts and API keys, so that it can check callers without asking anybody. */
@Controller()
export class AccountReplica {
  constructor(private readonly directory: AccountDirectory) {}

  @OnEvent(accountOpened, kept)
  async onAccountOpened(
    @Payload() event: EventOf<typeof accountOpened>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await applyAccountEvent(context.manager, event);
  }

  @OnEvent(apiKeyIssued, kept)
  async onApiKeyIssued(
    @Payload() event: EventOf<typeof apiKeyIssued>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await applyAccountEvent(context.manager, event);
  }

  @OnEvent(apiKeyRevoked, kept)
  async onApiKeyRevoked(
    @Payload() event: EventOf<typeof apiKeyRevoked>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await applyAccountEvent(context.manager, event);
    this.directory.forgetKey(event.apiKeyId);
  }
}
