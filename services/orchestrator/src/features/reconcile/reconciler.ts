import { LOGGER, METER, RANDOM, SERVICE_CONFIG } from '@gridbourse/api';
import type { LeaseId, Random } from '@gridbourse/kernel';
import type { Counter, Logger, Meter } from '@gridbourse/observability';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Clusters } from '../../adapters/clusters.ts';
import { KubernetesError } from '../../adapters/kubernetes/kubernetes-error.ts';
import { WorkloadStore } from '../../adapters/workload-store.ts';
import { leaseOfNamespace } from '../../domain/objects/names.ts';
import { isOver } from '../../domain/workload.ts';
import type { OrchestratorConfig } from '../../orchestrator.config.ts';
import { UsageFlush } from './usage-flush.ts';
import { WorkQueue } from './work-queue.ts';
import { WorkloadRemover } from './workload-remover.ts';
import { WorkloadWatcher } from './workload-watcher.ts';

const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 30_000;

/**
 * Brings clusters and durable state together, lease by lease. Whatever happens (an event of the bus, a change in a
 * cluster, a deadline, a start of the service) only says which lease to look at; what to do follows from its state alone.
 */
@Injectable()
export class Reconciler implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly queue: WorkQueue<LeaseId>;
  private readonly failures = new Map<LeaseId, number>();
  private readonly failed: Counter;

  constructor(
    private readonly store: WorkloadStore,
    private readonly clusters: Clusters,
    private readonly watcher: WorkloadWatcher,
    private readonly remover: WorkloadRemover,
    private readonly flush: UsageFlush,
    @Inject(SERVICE_CONFIG) config: OrchestratorConfig,
    @Inject(RANDOM) private readonly random: Random,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(METER) meter: Meter,
  ) {
    this.queue = new WorkQueue({ concurrency: config.concurrency, work: (leaseId) => this.work(leaseId) });
    this.failed = meter.createCounter('gridbourse_reconcile_failures', {
      description: 'Steps that have to be retried',
    });
    meter
      .createObservableGauge('gridbourse_workloads', {
        description: 'Workloads that are not over, by observed state',
      })
      .addCallback((result) => {
        const counts = new Map<string, number>();
        for (const { state } of this.store.allLive()) {
          counts.set(state.observed, (counts.get(state.observed) ?? 0) + 1);
        }
        for (const [observed, count] of counts) result.observe(count, { observed });
      });
  }

  /** Adopts what an earlier process left: nothing is torn down because we were away. */
  async onApplicationBootstrap(): Promise<void> {
    const workloads = await this.store.loadLive();
    this.clusters.listen((_, namespaces) => {
      for (const namespace of namespaces) {
        const leaseId = leaseOfNamespace(namespace);
        if (leaseId) this.wake(leaseId);
      }
    });
    await this.clusters.connectAll();
    for (const { leaseId } of workloads) this.wake(leaseId);
    this.logger.info(
      { workloads: workloads.length, clusters: this.clusters.all().length },
      'reconciler started',
    );
  }

  /** Looks at the lease soon. */
  wake(leaseId: LeaseId): void {
    this.queue.add(leaseId);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.queue.stop();
    await this.flush.run();
    await this.clusters.stop();
  }

  private async work(leaseId: LeaseId): Promise<number | null> {
    try {
      const workload = await this.store.find(leaseId);
      const next = await this.step(workload);
      this.failures.delete(leaseId);
      return next;
    } catch (error) {
      const failures = Math.min((this.failures.get(leaseId) ?? 0) + 1, 12);
      this.failures.set(leaseId, failures);
      this.failed.add(1);
      const expected = error instanceof KubernetesError;
      const fields = { leaseId, failures, ...(expected ? { reason: error.message } : { err: error }) };
      if (expected) this.logger.warn(fields, 'the cluster did not do it: trying again');
      else this.logger.error(fields, 'reconciliation failed: trying again');
      return Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS) * (0.5 + this.random.next() / 2);
    }
  }

  private async step(workload: Awaited<ReturnType<WorkloadStore['find']>>): Promise<number | null> {
    if (!workload || isOver(workload.state) || workload.state.namespace === null) return null;
    return workload.state.desired === 'running' ? this.watcher.look(workload) : this.remover.remove(workload);
  }
}
