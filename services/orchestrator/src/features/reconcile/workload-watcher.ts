import { CLOCK, LOGGER, METER, SERVICE_CONFIG } from '@gridbourse/api';
import type { LeaseProposed } from '@gridbourse/events';
import type { Clock } from '@gridbourse/kernel';
import type { Histogram, Logger, Meter } from '@gridbourse/observability';
import { Inject, Injectable } from '@nestjs/common';
import { Clusters } from '../../adapters/clusters.ts';
import type { ClusterConnection } from '../../adapters/kubernetes/cluster-connection.ts';
import { isAboutTheCluster } from '../../adapters/kubernetes/kubernetes-error.ts';
import { LeaseFacts } from '../../adapters/lease-facts.ts';
import { type Workload, WorkloadStore } from '../../adapters/workload-store.ts';
import type { OrchestratorEvent } from '../../domain/workload-events.ts';
import { type Endpoint, everRan } from '../../domain/workload.ts';
import type { OrchestratorConfig } from '../../orchestrator.config.ts';
import { EvidenceKeeper } from './evidence-keeper.ts';
import { MassChangeGuard } from './mass-change-guard.ts';
import { policyOf } from './settings.ts';
import { WorkloadApplier } from './workload-applier.ts';

/** Without a single pod and without a reason for so long, the objects are applied anew. */
const APPLY_AGAIN_MS = 15_000;

/** Brings a wanted workload to run, and follows how it does. */
@Injectable()
export class WorkloadWatcher {
  private readonly startedAtMs: number;
  private readonly startTimes: Histogram;

  constructor(
    private readonly store: WorkloadStore,
    private readonly leases: LeaseFacts,
    private readonly clusters: Clusters,
    private readonly applier: WorkloadApplier,
    private readonly evidence: EvidenceKeeper,
    private readonly guard: MassChangeGuard,
    @Inject(SERVICE_CONFIG) private readonly config: OrchestratorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(METER) meter: Meter,
  ) {
    this.startTimes = meter.createHistogram('gridbourse_workload_start_ms', {
      description: 'From the intent on record to the first Running',
      unit: 'ms',
    });
    this.startedAtMs = clock.now();
  }

  /** @returns milliseconds until the next look that no change will ask for, null for none */
  async look(workload: Workload): Promise<number | null> {
    if (workload.state.outcome) return null;
    const connection = this.clusters.get(workload.providerId);
    if (workload.state.appliedAtMs === null) return this.start(workload, connection);
    if (!connection || !this.clusters.isReachable(workload.providerId))
      return this.loseSight(workload, connection);
    const lease = await this.leases.get(workload.leaseId);
    try {
      if (await this.isGone(workload, connection)) return await this.replace(workload, connection, lease);
      return await this.observe(workload, connection, lease);
    } catch (error) {
      if (!isAboutTheCluster(error)) throw error;
      return this.config.attentionIntervalMs; // no answer, no conclusion
    }
  }

  private async start(workload: Workload, connection: ClusterConnection | undefined): Promise<number | null> {
    const { leaseId } = workload;
    const policy = policyOf(this.config, await this.leases.get(leaseId));
    const result = await this.applier.apply(leaseId, connection, () => this.isWanted(workload));
    const nowMs = this.clock.now();
    switch (result.kind) {
      case 'applied':
        await this.store.decide(leaseId, { type: 'ReportApplied', objects: result.objects, nowMs });
        return 0;
      case 'stopped':
        return 0;
      case 'wait':
        return this.config.attentionIntervalMs;
      case 'trouble': {
        const { trouble } = result;
        if (trouble.cause !== workload.state.trouble?.cause) {
          this.logger.warn({ leaseId, ...trouble }, 'the workload cannot be applied');
        }
        await this.store.decide(leaseId, { type: 'ReportTrouble', trouble, nowMs, policy });
        return this.config.attentionIntervalMs;
      }
    }
  }

  private async isWanted({ leaseId }: Workload): Promise<boolean> {
    return (await this.store.find(leaseId))?.state.desired === 'running';
  }

  private async loseSight(workload: Workload, connection: ClusterConnection | undefined): Promise<number> {
    const { leaseId, state } = workload;
    const nowMs = this.clock.now();
    const lastSeenAtMs = Math.max(
      connection?.provenAtMs ?? 0,
      workload.lastSeenMs ?? 0,
      state.appliedAtMs ?? 0,
    );
    // After a start of this service a cluster gets its time too, before it counts as out of sight.
    if (nowMs - Math.max(lastSeenAtMs, this.startedAtMs) >= this.config.unknownAfterMs) {
      await this.store.decide(leaseId, { type: 'LoseSight', lastSeenAtMs, nowMs });
      const trouble = { cause: 'cluster_unreachable' as const, message: 'the cluster does not answer' };
      const policy = policyOf(this.config, await this.leases.get(leaseId));
      await this.store.decide(leaseId, { type: 'ReportTrouble', trouble, nowMs, policy });
    }
    return this.config.attentionIntervalMs;
  }

  /** The namespace is not seen, and the cluster says on being asked that it does not exist. */
  private async isGone({ state }: Workload, connection: ClusterConnection): Promise<boolean> {
    if (connection.namespaceSeen(state.namespace!)) return false;
    return (await connection.readNamespace(state.namespace!)) === null;
  }

  /** What never ran is made again; what ran is lost, with all that it had in memory and on disk. */
  private async replace(
    workload: Workload,
    connection: ClusterConnection,
    lease: LeaseProposed,
  ): Promise<number | null> {
    const { leaseId, state } = workload;
    if (!everRan(state)) {
      this.logger.warn(
        { leaseId, namespace: state.namespace },
        'the namespace is gone before it ever ran: making it again',
      );
      await this.applier.apply(leaseId, connection, () => this.isWanted(workload));
      return this.config.attentionIntervalMs;
    }
    const lastProof = this.evidence.lastProof(leaseId);
    const policy = policyOf(this.config, lease);
    const command = { type: 'ReportVanished' as const, lastProof, nowMs: this.clock.now(), policy };
    const { events } = await this.store.decide(leaseId, command, (drawn) => this.isHeld(workload, drawn));
    return events.length > 0 ? null : this.config.attentionIntervalMs;
  }

  private async observe(
    workload: Workload,
    connection: ClusterConnection,
    lease: LeaseProposed,
  ): Promise<number | null> {
    const { leaseId, state } = workload;
    const policy = policyOf(this.config, lease);
    const evidence = await this.evidence.examine(lease, state, connection);
    const lastProof = this.evidence.lastProof(leaseId);
    const endpoints =
      evidence.healthy || evidence.exit
        ? await this.endpointsOf(workload, connection, lease)
        : state.endpoints;
    const nowMs = this.clock.now();
    const decision = await this.store.decide(
      leaseId,
      {
        ...{ type: 'Observe', evidence, lastProof, endpoints, nowMs, policy },
        notBeforeMs: this.evidence.notBefore(leaseId),
      },
      (drawn) => this.isHeld(workload, drawn),
    );
    await this.store.noteSeen(leaseId, evidence.services, evidence.provenAtMs);
    const now = decision.workload.state;
    if (!everRan(state) && everRan(now)) {
      this.logger.info({ leaseId, startMs: nowMs - (state.requestedAtMs ?? nowMs) }, 'workload runs');
      this.startTimes.record(nowMs - (state.requestedAtMs ?? nowMs));
    }
    if (now.outcome) return null;
    if (now.observed === 'running') return null;
    const idleMs = nowMs - (state.appliedAtMs ?? nowMs);
    if (evidence.pods.length === 0 && !evidence.trouble && idleMs > APPLY_AGAIN_MS) {
      await this.applier.apply(leaseId, connection, () => this.isWanted(workload));
    }
    return this.config.attentionIntervalMs;
  }

  private async endpointsOf(
    { state }: Workload,
    connection: ClusterConnection,
    lease: LeaseProposed,
  ): Promise<readonly Endpoint[]> {
    if (state.endpoints.length > 0 || state.observed === 'running') return state.endpoints;
    return this.applier.endpoints(lease, connection, state.namespace!);
  }

  /** Whether the conclusion is one of too many at once. */
  private isHeld({ leaseId, providerId }: Workload, events: readonly OrchestratorEvent[]): boolean {
    const failed = events.some((event) => event.type === 'WorkloadFailed' && event.phase === 'run');
    return failed && !this.guard.allows(providerId, leaseId, this.store.liveOf(providerId).length);
  }
}
