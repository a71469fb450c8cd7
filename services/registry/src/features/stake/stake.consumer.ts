import { CLOCK, SERVICE_CONFIG } from '@gridbourse/api';
import { EventContext, OnEvent } from '@gridbourse/event-bus';
import {
  chainEventFinalized,
  chainEventObserved,
  chainEventRetracted,
  type EventOf,
} from '@gridbourse/events';
import type { Clock } from '@gridbourse/kernel';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { EntityManager } from 'typeorm';
import { Aggregates } from '../../aggregates/aggregates.ts';
import { providers } from '../../aggregates/registry-aggregates.ts';
import { ProviderEntity } from '../../read-models/provider.entity.ts';
import type { RegistryConfig } from '../../registry.config.ts';
import { applyStakeEvent, isStakeLog, lockStakeOf, stakeOf } from './stake-table.ts';

/** Activates providers by what the chain says of their stake, and takes it back when the chain takes it back. */
@Controller()
export class StakeConsumer {
  constructor(
    private readonly aggregates: Aggregates,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: Pick<RegistryConfig, 'minStakeMicros'>,
  ) {}

  @OnEvent(chainEventObserved, { journal: ({ log }) => isStakeLog(log) })
  async onObserved(
    @Payload() event: EventOf<typeof chainEventObserved>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    if (!isStakeLog(event.log)) return;
    await lockStakeOf(context.manager, event.log.owner);
    await applyStakeEvent(context.manager, event);
    await this.apply(context.manager, event.log.owner, false);
  }

  @OnEvent(chainEventRetracted, { journal: ({ log }) => isStakeLog(log) })
  async onRetracted(
    @Payload() event: EventOf<typeof chainEventRetracted>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    if (!isStakeLog(event.log)) return;
    await lockStakeOf(context.manager, event.log.owner);
    await applyStakeEvent(context.manager, event);
    await this.apply(context.manager, event.log.owner, true);
  }

  @OnEvent(chainEventFinalized, { journal: ({ log }) => log.name === 'StakeChanged' })
  async onFinalized(
    @Payload() event: EventOf<typeof chainEventFinalized>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await applyStakeEvent(context.manager, event);
  }

  private async apply(manager: EntityManager, owner: string, retracted: boolean): Promise<void> {
    const provider = await manager.getRepository(ProviderEntity).findOneBy({ wallet: owner });
    if (!provider) return; // registered later: registration looks the stake up
    const stake = await stakeOf(manager, owner);
    const chainProviderId = stake?.chainProviderId ?? provider.chainProviderId;
    if (chainProviderId === null) return;
    await this.aggregates.executeWithin(manager, providers, provider.providerId, [
      {
        type: 'SeeStake',
        chainProviderId,
        stakeMicros: stake?.stakeMicros ?? 0n,
        minStakeMicros: this.config.minStakeMicros,
        retracted,
        atMs: this.clock.now(),
      },
    ]);
  }
}
