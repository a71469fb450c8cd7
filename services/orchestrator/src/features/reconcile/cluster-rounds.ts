import { CLOCK, LOGGER, METER, PeriodicTasks, SERVICE_CONFIG } from '@gridbourse/api';
import type { Clock } from '@gridbourse/kernel';
import type { Counter, Logger, Meter } from '@gridbourse/observability';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Clusters } from '../../adapters/clusters.ts';
import type { ClusterConnection } from '../../adapters/kubernetes/cluster-connection.ts';
import type { NamespaceView } from '../../adapters/kubernetes/cluster-schemas.ts';
import { LeaseFacts } from '../../adapters/lease-facts.ts';
import { StrangeNamespaces } from '../../adapters/strange-namespaces.ts';
import { type Workload, WorkloadStore } from '../../adapters/workload-store.ts';
import { leaseOfNamespace } from '../../domain/objects/names.ts';
import { isOver } from '../../domain/workload.ts';
import type { OrchestratorConfig } from '../../orchestrator.config.ts';
import { EvidenceKeeper } from './evidence-keeper.ts';
import { MassChangeGuard } from './mass-change-guard.ts';
import { Reconciler } from './reconciler.ts';

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What is done for a whole cluster at intervals, whether or not anything changed. */
@Injectable()
export class ClusterRounds implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly removed: Counter;
  private readonly visits = new Map<string, Promise<void>>();

  constructor(
    private readonly tasks: PeriodicTasks,
    private readonly store: WorkloadStore,
    private readonly leases: LeaseFacts,
    private readonly clusters: Clusters,
    private readonly strange: StrangeNamespaces,
    private readonly evidence: EvidenceKeeper,
    private readonly guard: MassChangeGuard,
    private readonly reconciler: Reconciler,
    @Inject(SERVICE_CONFIG) private readonly config: OrchestratorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(METER) meter: Meter,
  ) {
    this.removed = meter.createCounter('gridbourse_orphans_removed', {
      description: 'Namespaces of ours that no lease wanted any more',
    });
  }

  onApplicationBootstrap(): void {
    const { evidenceIntervalMs, meterWindowSeconds } = this.config;
    const evidenceMs = Math.min(evidenceIntervalMs, meterWindowSeconds * 500);
    this.tasks.every({ name: 'evidence', everyMs: evidenceMs }, () =>
      this.forEachCluster('evidence', (connection) => this.gatherEvidence(connection)),
    );
    this.tasks.every({ name: 'full-comparison', everyMs: this.config.reconcileIntervalMs }, () =>
      this.forEachCluster('comparison', (connection) => this.compare(connection)),
    );
    this.tasks.every({ name: 'erase-secrets', everyMs: this.config.reconcileIntervalMs }, () =>
      this.leases.eraseFinished(this.clock.now()),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.visits.values());
  }

  /** Each cluster has its own pace: one that does not answer is visited again when its visit is over. */
  private forEachCluster(
    round: string,
    visit: (connection: ClusterConnection) => Promise<void>,
  ): Promise<void> {
    for (const connection of this.clusters.all()) {
      const { providerId } = connection;
      const key = `${round} ${providerId}`;
      if (this.visits.has(key)) continue;
      const done = visit(connection)
        .catch((error: unknown) => this.logger.error({ err: error, round, providerId }, 'the round failed'))
        .finally(() => this.visits.delete(key));
      this.visits.set(key, done);
    }
    return Promise.resolve();
  }

  /** Proof for the meters of all workloads of a cluster, and attention for those that need it. */
  private async gatherEvidence(connection: ClusterConnection): Promise<void> {
    const live = this.store.liveOf(connection.providerId);
    if (live.length === 0) return;
    try {
      await connection.refreshPods();
    } catch (error) {
      this.logger.debug(
        { providerId: connection.providerId, reason: describe(error) },
        'no evidence this time',
      );
    }
    for (const workload of live) {
      if (await this.needsAttention(workload, connection)) this.reconciler.wake(workload.leaseId);
    }
  }

  private async needsAttention(
    { leaseId, state }: Workload,
    connection: ClusterConnection,
  ): Promise<boolean> {
    if (state.desired === 'absent') return false; // has appointments of its own
    if (state.outcome) return false;
    if (state.observed !== 'running' || !this.clusters.isReachable(connection.providerId)) return true;
    const lease = await this.leases.get(leaseId);
    const evidence = this.evidence.glance(lease, state, connection);
    const { open } = state.meter;
    if (!evidence?.healthy || evidence.incarnation !== open?.incarnation) return true;
    return evidence.provenAtMs - open.sinceMs >= this.config.meterWindowSeconds * 1_000;
  }

  /** Both ways: every lease is looked at, and every namespace of ours must have a lease that wants it. */
  private async compare(connection: ClusterConnection): Promise<void> {
    const { providerId } = connection;
    let namespaces: readonly NamespaceView[];
    try {
      namespaces = await connection.listNamespaces();
    } catch (error) {
      this.logger.warn(
        { providerId, reason: describe(error) },
        'full comparison put off: the cluster does not answer',
      );
      return;
    }
    for (const workload of this.store.liveOf(providerId)) this.reconciler.wake(workload.leaseId);
    const unknown: string[] = [];
    for (const namespace of namespaces) {
      const reason = await this.reasonToRemove(connection, namespace, unknown);
      if (reason !== null && !namespace.terminating)
        await this.removeOrphan(connection, namespace, reason, namespaces.length);
    }
    await this.strange.keepOnly(providerId, unknown);
  }

  /** @returns null for a namespace that is to stay */
  private async reasonToRemove(
    connection: ClusterConnection,
    namespace: NamespaceView,
    unknown: string[],
  ): Promise<string | null> {
    const { providerId } = connection;
    const leaseId = leaseOfNamespace(namespace.name);
    const workload = leaseId && (await this.store.find(leaseId));
    if (workload && workload.providerId !== providerId) {
      const where = { providerId, namespace: namespace.name, placedAt: workload.providerId };
      this.logger.error(where, 'a namespace of ours stands in a cluster that its lease is not placed at');
      return null;
    }
    if (workload) return isOver(workload.state) ? 'its lease is over' : null;
    unknown.push(namespace.name);
    const sinceMs = await this.strange.sinceWhen(providerId, namespace.name, this.clock.now());
    return this.clock.now() - sinceMs >= this.config.orphanGraceMs ? 'no lease is known for it' : null;
  }

  private async removeOrphan(
    connection: ClusterConnection,
    { name, uid }: NamespaceView,
    reason: string,
    population: number,
  ): Promise<void> {
    const { providerId } = connection;
    if (!this.guard.allows(providerId, name, population)) return;
    this.logger.warn({ providerId, namespace: name, reason }, 'removing an orphaned namespace');
    try {
      await connection.api.deleteNamespace(name, uid);
      this.removed.add(1, { provider: providerId });
    } catch (error) {
      this.logger.warn(
        { providerId, namespace: name, reason: describe(error) },
        'could not remove it: next round',
      );
    }
  }
}
