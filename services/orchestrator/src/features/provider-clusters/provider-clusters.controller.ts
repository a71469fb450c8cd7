import { EventContext, OnEvent } from '@gridbourse/event-bus';
import { type EventOf, providerClusterAttached, providerOffline, providerOnline } from '@gridbourse/events';
import type { ProviderId } from '@gridbourse/kernel';
import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { DataSource } from 'typeorm';
import { Clusters } from '../../adapters/clusters.ts';
import { WorkloadStore } from '../../adapters/workload-store.ts';
import { ClusterEntity } from '../../read-models/cluster.entity.ts';
import { Reconciler } from '../reconcile/reconciler.ts';

/** Which clusters there are, and which of them the registry has given up. */
@Controller()
export class ProviderClustersController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly clusters: Clusters,
    private readonly store: WorkloadStore,
    private readonly reconciler: Reconciler,
  ) {}

  @OnEvent(providerClusterAttached, { transaction: 'handler' })
  async onClusterAttached(
    @Payload() event: EventOf<typeof providerClusterAttached>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    const { providerId, apiServer, kubeconfig, attachedAtMs } = event;
    const isNew = await this.dataSource.transaction(async (manager) => {
      if ((await context.recordInbox(manager)) === 'duplicate') return false;
      await manager
        .getRepository(ClusterEntity)
        .upsert({ providerId, apiServer, kubeconfig, attachedAtMs }, ['providerId']);
      return true;
    });
    if (!isNew) return;
    await this.clusters.connect(providerId, kubeconfig);
    this.wakeAll(providerId);
  }

  @OnEvent(providerOffline, { transaction: 'handler' })
  async onOffline(
    @Payload() event: EventOf<typeof providerOffline>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await this.setOffline(event.providerId, event.atMs, context);
  }

  @OnEvent(providerOnline, { transaction: 'handler' })
  async onOnline(
    @Payload() event: EventOf<typeof providerOnline>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await this.setOffline(event.providerId, null, context);
  }

  private async setOffline(
    providerId: ProviderId,
    offlineSinceMs: number | null,
    context: EventContext,
  ): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      if ((await context.recordInbox(manager)) === 'duplicate') return;
      await manager.getRepository(ClusterEntity).update({ providerId }, { offlineSinceMs });
    });
    this.clusters.setOffline(providerId, offlineSinceMs !== null);
    // Leases that are closing need not wait for evidence of a cluster that is lost.
    this.wakeAll(providerId);
  }

  private wakeAll(providerId: ProviderId): void {
    for (const { leaseId } of this.store.liveOf(providerId)) this.reconciler.wake(leaseId);
  }
}
