import { Module } from '@nestjs/common';
import { Clusters } from './adapters/clusters.ts';
import { LeaseFacts } from './adapters/lease-facts.ts';
import { StrangeNamespaces } from './adapters/strange-namespaces.ts';
import { WorkloadStore } from './adapters/workload-store.ts';
import { LeaseIntakeController } from './features/lease-intake/lease-intake.controller.ts';
import { ProviderClustersController } from './features/provider-clusters/provider-clusters.controller.ts';
import { ClusterRounds } from './features/reconcile/cluster-rounds.ts';
import { EvidenceKeeper } from './features/reconcile/evidence-keeper.ts';
import { MassChangeGuard } from './features/reconcile/mass-change-guard.ts';
import { Reconciler } from './features/reconcile/reconciler.ts';
import { UsageFlush } from './features/reconcile/usage-flush.ts';
import { WorkloadApplier } from './features/reconcile/workload-applier.ts';
import { WorkloadRemover } from './features/reconcile/workload-remover.ts';
import { WorkloadWatcher } from './features/reconcile/workload-watcher.ts';
import { OwnWorkload } from './features/show-workload/own-workload.ts';
import { ShowWorkloadController } from './features/show-workload/show-workload.controller.ts';
import { WorkloadLogsController } from './features/workload-logs/workload-logs.controller.ts';

@Module({
  controllers: [
    LeaseIntakeController,
    ProviderClustersController,
    ShowWorkloadController,
    WorkloadLogsController,
  ],
  providers: [
    Clusters,
    LeaseFacts,
    StrangeNamespaces,
    WorkloadStore,
    EvidenceKeeper,
    MassChangeGuard,
    WorkloadApplier,
    WorkloadWatcher,
    WorkloadRemover,
    UsageFlush,
    Reconciler,
    ClusterRounds,
    OwnWorkload,
  ],
})
export class OrchestratorModule {}
