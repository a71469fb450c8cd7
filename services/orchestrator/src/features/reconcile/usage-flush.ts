import { CLOCK, LOGGER, SERVICE_CONFIG } from '@gridbourse/api';
import type { Clock } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { Inject, Injectable } from '@nestjs/common';
import { Clusters } from '../../adapters/clusters.ts';
import { LeaseFacts } from '../../adapters/lease-facts.ts';
import { type Workload, WorkloadStore } from '../../adapters/workload-store.ts';
import type { OrchestratorConfig } from '../../orchestrator.config.ts';
import { EvidenceKeeper } from './evidence-keeper.ts';
import { policyOf } from './settings.ts';

/** Records what is proven before the process ends, so that even a container that restarts meanwhile costs no second. */
@Injectable()
export class UsageFlush {
  constructor(
    private readonly store: WorkloadStore,
    private readonly leases: LeaseFacts,
    private readonly clusters: Clusters,
    private readonly evidence: EvidenceKeeper,
    @Inject(SERVICE_CONFIG) private readonly config: OrchestratorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async run(): Promise<void> {
    for (const workload of this.store.allLive()) {
      try {
        await this.record(workload);
      } catch (error) {
        this.logger.warn(
          { leaseId: workload.leaseId, err: error },
          'usage will be recorded at the next start',
        );
      }
    }
  }

  private async record({ leaseId, providerId, state }: Workload): Promise<void> {
    const connection = this.clusters.get(providerId);
    if (!connection || state.observed !== 'running' || !state.meter.open) return;
    const lease = await this.leases.get(leaseId);
    const evidence = this.evidence.glance(lease, state, connection);
    if (!evidence?.healthy || evidence.incarnation !== state.meter.open.incarnation) return;
    const policy = { ...policyOf(this.config, lease), windowMs: 0 };
    const { endpoints } = state;
    const lastProof = this.evidence.lastProof(leaseId);
    await this.store.decide(leaseId, {
      ...{ type: 'Observe' as const, evidence, lastProof, endpoints, policy },
      notBeforeMs: this.evidence.notBefore(leaseId),
      nowMs: this.clock.now(),
    });
  }
}
