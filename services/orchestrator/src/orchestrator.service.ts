import { defineService } from '@gridbourse/api';
import { sqlMigrations } from '@gridbourse/event-store';
import { orchestratorCatalogue } from './catalogue.ts';
import { orchestratorConfig } from './orchestrator.config.ts';
import { OrchestratorModule } from './orchestrator.module.ts';
import { ClusterEntity } from './read-models/cluster.entity.ts';
import { clustersReadModel } from './read-models/clusters-read-model.ts';
import { LeaseEntity } from './read-models/lease.entity.ts';
import { leasesReadModel } from './read-models/leases-read-model.ts';
import { WorkloadSightingEntity } from './read-models/workload-sighting.entity.ts';
import { WorkloadEntity } from './read-models/workload.entity.ts';

export const orchestratorService = defineService({
  name: 'orchestrator',
  configSchema: orchestratorConfig,
  catalogue: orchestratorCatalogue,
  entities: [LeaseEntity, WorkloadEntity, WorkloadSightingEntity, ClusterEntity],
  migrations: sqlMigrations(new URL('../migrations', import.meta.url), 'orchestrator'),
  readModels: () => [leasesReadModel(orchestratorCatalogue.all().map(({ type }) => type)), clustersReadModel],
  module: () => OrchestratorModule,
  publicPaths: ['/v1/workloads'],
});
