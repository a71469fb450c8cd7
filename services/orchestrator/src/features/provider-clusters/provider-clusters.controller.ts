import { EventContext, OnEvent } from '@gridbourse/event-bus';
import { type EventOf, providerClusterAttached, providerOffline, providerOnline } from '@gridbourse/events';
import type { ProviderId } from '@gridbourse/kernel';
import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { DataSource } from 'typeorm';
import { Clusters } from '../../adapters/clusters.ts';
import { WorkloadStore } from '../../adapters/workload-store.ts';
import { applyClusterEvent } from '../../read-models/clusters-read-model.ts';
import { Reconciler } from '../reconcile/reconciler.ts';

/** What is heard can be told again: the clusters are made of it. */
const ownTransaction = { transaction: 'handler', journal: true } as const;

/** Which clusters there are, and which of them the registry has given up. */
@Controller()
export class ProviderClustersController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly clusters: Clusters,
    private readonly store: WorkloadStore,
    private readonly reconciler: Reconciler,
  ) {}

  @OnEvent(providerClusterAttached, ownTransaction)
  async onClusterAttached(
    @Payload() event: EventOf<typeof providerClusterAttached>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    const { providerId, kubeconfig } = event;
    const isNew = await this.dataSource.transaction(async (manager) => {
      if ((await context.recordInbox(manager)) === 'duplicate') return false;
      await applyClusterEvent(manager, event);
      return true;
    });
    if (!isNew) return;
    await this.clusters.connect(providerId, kubeconfig);
    this.wakeAll(providerId);
  }

  @OnEvent(providerOffline, ownTransaction)
  async onOffline(
    @Payload() event: EventOf<typeof providerOffline>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await this.setOffline(event, context);
  }

  @OnEvent(providerOnline, ownTransaction)
  async onOnline(
    @Payload() event: EventOf<typeof providerOnline>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await this.setOffline(event, context);
  }

  private async setOffline(
    event: EventOf<typeof providerOffline | typeof providerOnline>,
    context: EventContext,
  ): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      if ((await context.recordInbox(manager)) === 'duplicate') return;
      await applyClusterEvent(manager, event);
    });
    const { providerId } = event;
    this.clusters.setOffline(providerId, event.type === 'ProviderOffline');
    // Leases that are closing need not wait for evidence of a cluster that is lost.
    this.wakeAll(providerId);
  }

  private wakeAll(providerId: ProviderId): void {
    for (const { leaseId } of this.store.liveOf(providerId)) this.reconciler.wake(leaseId);
  }
}
