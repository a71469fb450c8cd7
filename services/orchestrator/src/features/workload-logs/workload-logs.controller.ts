import { Caller, RequireScopes, SERVICE_CONFIG } from '@gridbourse/api';
import { DomainError, notFound } from '@gridbourse/kernel';
import { Controller, Get, Inject, Param, Query, StreamableFile } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { Clusters } from '../../adapters/clusters.ts';
import type { ClusterConnection } from '../../adapters/kubernetes/cluster-connection.ts';
import { KubernetesError } from '../../adapters/kubernetes/kubernetes-error.ts';
import type { Workload } from '../../adapters/workload-store.ts';
import type { PodView } from '../../domain/evidence.ts';
import type { OrchestratorConfig } from '../../orchestrator.config.ts';
import { OwnWorkload } from '../show-workload/own-workload.ts';
import { eventStreamOfLog, plainLog } from './log-stream.ts';

const MAX_LOG_BYTES = 8 * 1024 * 1024;

const logsQuery = z.object({
  /** A service of the manifest; may be left out where there is only one. */
  service: z.string().max(63).optional(),
  /** From 0, in the order in which the pods were made. */
  replica: z.coerce.number().int().min(0).max(255).default(0),
  /** Only the last lines. */
  tail: z.coerce.number().int().min(0).max(100_000).optional(),
  sinceSeconds: z.coerce.number().int().min(1).max(31_536_000).optional(),
  /** Server-sent events that go on, instead of text that ends. */
  follow: z.stringbool().default(false),
});
type LogsQuery = z.output<typeof logsQuery>;

@ApiTags('workloads')
@Controller('v1/workloads')
export class WorkloadLogsController {
  private readonly following = new Map<string, number>();

  constructor(
    private readonly own: OwnWorkload,
    private readonly clusters: Clusters,
    @Inject(SERVICE_CONFIG) private readonly config: OrchestratorConfig,
  ) {}

  /** What one replica of a service has printed. */
  @Get(':leaseId/logs')
  @RequireScopes('leases:read')
  @ApiProduces('text/plain', 'text/event-stream')
  async logs(
    @Param('leaseId') leaseId: string,
    @Query({ schema: logsQuery }) query: LogsQuery,
    @Caller() caller: Caller,
  ): Promise<StreamableFile> {
    const workload = await this.own.find(leaseId, caller);
    const connection = this.clusters.get(workload.providerId);
    if (!query.follow) {
      const log = await this.open(
        workload,
        connection,
        query,
        AbortSignal.timeout(this.config.callDeadlineMs * 6),
      );
      return new StreamableFile(plainLog(log), { type: 'text/plain; charset=utf-8' });
    }
    const release = this.takeFollow(caller.accountId);
    try {
      const log = await this.open(
        workload,
        connection,
        query,
        AbortSignal.timeout(this.config.logFollowMaxMs),
      );
      const stream = eventStreamOfLog(log);
      stream.once('close', release);
      return new StreamableFile(stream, { type: 'text/event-stream; charset=utf-8' });
    } catch (error) {
      release();
      throw error;
    }
  }

  private async open(
    workload: Workload,
    connection: ClusterConnection | undefined,
    query: LogsQuery,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { namespace } = workload.state;
    if (namespace === null || workload.state.observed === 'absent') {
      throw notFound('log', `of ${workload.leaseId}: its workload is gone`);
    }
    try {
      if (!connection) throw new KubernetesError(0, 'NoConnection', 'no connection');
      const { pods } = await connection.readPods(namespace);
      const pod = choosePod(workload, pods, query);
      return await connection.api.log(
        namespace,
        pod.name,
        {
          container: pod.service,
          follow: query.follow,
          tailLines: query.tail,
          sinceSeconds: query.sinceSeconds,
          limitBytes: query.follow ? undefined : MAX_LOG_BYTES,
        },
        signal,
      );
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      if (error.status === 400)
        throw new DomainError('conflict', 'no_log_yet', 'the container has not started yet');
      if (error.status === 404) throw notFound('log', `of ${workload.leaseId}`);
      throw new DomainError('unavailable', 'cluster_unreachable', 'the cluster does not answer now', {
        cause: error,
      });
    }
  }

  /** @throws DomainError `too_many_follows` @returns what gives the place back */
  private takeFollow(accountId: string): () => void {
    const count = this.following.get(accountId) ?? 0;
    if (count >= this.config.logFollowsPerAccount) {
      const message = `at most ${this.config.logFollowsPerAccount} logs may be followed at the same time`;
      throw new DomainError('exhausted', 'too_many_follows', message);
    }
    this.following.set(accountId, count + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const now = (this.following.get(accountId) ?? 1) - 1;
      if (now > 0) this.following.set(accountId, now);
      else this.following.delete(accountId);
    };
  }
}

/** @throws DomainError `service_not_named`, `replica_not_found` */
const choosePod = ({ leaseId }: Workload, pods: readonly PodView[], query: LogsQuery): PodView => {
  const services = [...new Set(pods.map((pod) => pod.service))].sort();
  const service = query.service ?? (services.length === 1 ? services[0] : undefined);
  if (service === undefined && services.length > 1) {
    throw new DomainError('invalid', 'service_not_named', `say which service: ${services.join(', ')}`, {
      faults: [{ pointer: '/service', message: `expected one of ${services.join(', ')}` }],
    });
  }
  const pod = pods
    .filter((each) => each.service === service)
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.name < b.name ? -1 : 1))[query.replica];
  if (!pod) throw notFound('replica', `${query.replica} of ${service ?? 'any service'} of ${leaseId}`);
  return pod;
};
