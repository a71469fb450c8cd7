import { CLOCK, LOGGER, METER, RANDOM, SERVICE_CONFIG } from '@gridbourse/api';
import type { SealedBox } from '@gridbourse/events';
import { type Clock, DomainError, type ProviderId, type Random } from '@gridbourse/kernel';
import type { Logger, Meter } from '@gridbourse/observability';
import { open } from '@gridbourse/sealing';
import { Inject, Injectable } from '@nestjs/common';
import { AsyncLocalStorage } from 'node:async_hooks';
import { DataSource } from 'typeorm';
import type { OrchestratorConfig } from '../orchestrator.config.ts';
import { ClusterEntity } from '../read-models/cluster.entity.ts';
import { ClusterConnection } from './kubernetes/cluster-connection.ts';
import { ClusterHttp } from './kubernetes/cluster-http.ts';
import { clusterAccess } from './kubernetes/kubeconfig.ts';
import { KubernetesApi } from './kubernetes/kubernetes-api.ts';

/** The connections to all providers' clusters. */
@Injectable()
export class Clusters {
  private readonly connections = new Map<ProviderId, ClusterConnection>();
  private readonly offline = new Set<ProviderId>();
  /** Watches go on long after the event that attached their cluster: they belong to no trace. */
  private readonly outside = AsyncLocalStorage.snapshot();
  private onChange: (providerId: ProviderId, namespaces: readonly string[]) => void = () => undefined;

  constructor(
    private readonly dataSource: DataSource,
    @Inject(SERVICE_CONFIG) private readonly config: OrchestratorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(RANDOM) private readonly random: Random,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(METER) meter: Meter,
  ) {
    meter
      .createObservableGauge('gridbourse_cluster_silence_ms', {
        description: 'Time since a cluster last showed its pods',
      })
      .addCallback((result) => {
        const now = this.clock.now();
        for (const { providerId, provenAtMs } of this.connections.values()) {
          if (provenAtMs > 0) result.observe(now - provenAtMs, { provider: providerId });
        }
      });
  }

  /** Who is told of changes; to be set before anything connects. */
  listen(onChange: (providerId: ProviderId, namespaces: readonly string[]) => void): void {
    this.onChange = onChange;
  }

  async connectAll(): Promise<void> {
    const rows = await this.dataSource.getRepository(ClusterEntity).find();
    for (const row of rows) if (row.offlineSinceMs !== null) this.offline.add(row.providerId);
    await Promise.all(rows.map((row) => this.connect(row.providerId, row.kubeconfig)));
  }

  /** Connects, replacing an earlier connection. A kubeconfig that cannot be used is logged, and leaves no connection. */
  async connect(providerId: ProviderId, sealed: SealedBox): Promise<void> {
    const before = this.connections.get(providerId);
    this.connections.delete(providerId);
    const { clock, random, logger, config } = this;
    try {
      const kubeconfig = await open(config.sealingKey.privateKey, sealed, providerId);
      const http = new ClusterHttp(await clusterAccess(new TextDecoder().decode(kubeconfig)));
      const api = new KubernetesApi(http, { clock, random, callDeadlineMs: config.callDeadlineMs });
      const connection = new ClusterConnection({
        ...{ providerId, api, clock, random, logger },
        managedBy: config.managedBy,
        watchIdleMs: config.watchIdleMs,
        onChange: (namespaces) => this.onChange(providerId, namespaces),
      });
      this.connections.set(providerId, connection);
      this.outside(() => connection.start());
      logger.info({ providerId }, 'cluster connected');
    } catch (error) {
      const reason = error instanceof DomainError ? error.message : 'it cannot be opened';
      logger.error({ providerId, reason }, 'the kubeconfig of a provider cannot be used');
    }
    await before?.stop();
  }

  get(providerId: ProviderId): ClusterConnection | undefined {
    return this.connections.get(providerId);
  }

  all(): readonly ClusterConnection[] {
    return [...this.connections.values()];
  }

  /** Whether the registry has given the provider up. */
  isOffline(providerId: ProviderId): boolean {
    return this.offline.has(providerId);
  }

  setOffline(providerId: ProviderId, isOffline: boolean): void {
    if (isOffline) this.offline.add(providerId);
    else this.offline.delete(providerId);
  }

  /** Seen within the time after which its workloads would be unknown. */
  isReachable(providerId: ProviderId): boolean {
    const connection = this.connections.get(providerId);
    return connection !== undefined && this.clock.now() - connection.provenAtMs < this.config.unknownAfterMs;
  }

  async stop(): Promise<void> {
    await Promise.all(this.all().map((connection) => connection.stop()));
    this.connections.clear();
  }
}
