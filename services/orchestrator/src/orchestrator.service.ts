import { defineService } from '@gridbourse/api';
import { sqlMigrations } from '@gridbourse/event-store';
import { orchestratorCatalogue } from './catalogue.ts';
import { orchestratorConfig } from './orchestrator.config.ts';
import { OrchestratorModule } from './orchestrator.module.ts';
import { ClusterEntity } from './read-models/cluster.entity.ts';
import { LeaseEntity } from './read-models/lease.entity.ts';
import { WorkloadEntity } from './read-models/workload.entity.ts';

export const orchestratorService = defineService({
  name: 'orchestrator',
  configSchema: orchestratorConfig,
  catalogue: orchestratorCatalogue,
  entities: [LeaseEntity, WorkloadEntity, ClusterEntity],
  migrations: sqlMigrations(new URL('../migrations', import.meta.url), 'orchestrator'),
  module: () => OrchestratorModule,
  publicPaths: ['/v1/workloads'],
});
