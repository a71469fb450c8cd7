import { CLOCK, LOGGER, SERVICE_CONFIG } from '@gridbourse/api';
import type { Clock } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { Inject, Injectable } from '@nestjs/common';
import { Clusters } from '../../adapters/clusters.ts';
import type { NamespaceView } from '../../adapters/kubernetes/cluster-schemas.ts';
import { LeaseFacts } from '../../adapters/lease-facts.ts';
import { type Workload, WorkloadStore } from '../../adapters/workload-store.ts';
import type { Evidence } from '../../domain/evidence.ts';
import type { OrchestratorConfig } from '../../orchestrator.config.ts';
import { EvidenceKeeper } from './evidence-keeper.ts';
import { policyOf } from './settings.ts';

/** Takes a workload that is not wanted any more out of its cluster, and ends with proof. */
@Injectable()
export class WorkloadRemover {
  constructor(
    private readonly store: WorkloadStore,
    private readonly leases: LeaseFacts,
    private readonly clusters: Clusters,
    private readonly evidence: EvidenceKeeper,
    @Inject(SERVICE_CONFIG) private readonly config: OrchestratorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * One step: the last evidence for the meter, the deletion, the proof.
   * @returns milliseconds until the next step, null when all is done
   * @throws KubernetesError when the cluster does not answer: to be tried again
   */
  async remove(workload: Workload): Promise<number | null> {
    if (!workload.state.meter.closed && !(await this.closeMeter(workload)))
      return this.config.attentionIntervalMs;
    const { leaseId, providerId, state } = workload;
    const connection = this.clusters.get(providerId);
    if (!connection) return this.config.attentionIntervalMs;
    const namespace = await connection.readNamespace(state.namespace!);
    if (!namespace) {
      const everCreated = state.appliedAtMs !== null || state.observed === 'terminating';
      await this.store.decide(leaseId, { type: 'ReportAbsent', everCreated, nowMs: this.clock.now() });
      await this.leases.eraseSecrets(leaseId, this.clock.now());
      this.evidence.forget(leaseId);
      return null;
    }
    if (!namespace.terminating) await connection.api.deleteNamespace(namespace.name, namespace.uid);
    else this.alarmIfStuck(workload, namespace);
    await this.store.decide(leaseId, { type: 'ReportDeletionAsked', nowMs: this.clock.now() });
    return this.config.attentionIntervalMs;
  }

  /** @returns false while evidence may still come */
  private async closeMeter({ leaseId, providerId, state }: Workload): Promise<boolean> {
    const lease = await this.leases.get(leaseId);
    let evidence: Evidence | null = null;
    const connection = this.clusters.get(providerId);
    const isLost = state.stop?.reason === 'provider_lost' || this.clusters.isOffline(providerId);
    if (state.meter.open && !isLost) {
      try {
        if (!connection) throw new Error('no connection');
        const sight = await connection.readPods(state.namespace!);
        evidence = await this.evidence.examine(lease, state, connection, sight);
      } catch (error) {
        const waitedMs = this.clock.now() - (state.stop?.atMs ?? 0);
        if (waitedMs < this.config.meterCloseDeadlineMs) return false;
        this.logger.warn(
          { leaseId, err: error },
          'no evidence for the end of the meter: closing at the last proof',
        );
      }
    }
    const lastProof = this.evidence.lastProof(leaseId);
    const policy = policyOf(this.config, lease);
    await this.store.decide(leaseId, {
      type: 'CloseMeter',
      evidence,
      lastProof,
      nowMs: this.clock.now(),
      policy,
    });
    return true;
  }

  private alarmIfStuck({ leaseId, providerId }: Workload, namespace: NamespaceView): void {
    const sinceMs = namespace.deletedAtMs ?? this.clock.now();
    const forMs = this.clock.now() - sinceMs;
    if (forMs < this.config.stuckTerminatingMs) return;
    this.logger.error(
      { leaseId, providerId, namespace: namespace.name, forMs },
      'a namespace is stuck terminating',
    );
  }
}
