import { Caller, RequireScopes, Returns } from '@gridbourse/api';
import { DomainError } from '@gridbourse/kernel';
import { Controller, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Clusters } from '../../adapters/clusters.ts';
import { KubernetesError } from '../../adapters/kubernetes/kubernetes-error.ts';
import { OwnWorkload } from './own-workload.ts';
import { toWorkloadDto, toWorkloadEventsDto, workloadDto, workloadEventsDto } from './workload.dto.ts';

@ApiTags('workloads')
@Controller('v1/workloads')
export class ShowWorkloadController {
  constructor(
    private readonly own: OwnWorkload,
    private readonly clusters: Clusters,
  ) {}

  /** What is wanted and what is seen of the workload of a lease. */
  @Get(':leaseId')
  @RequireScopes('leases:read')
  @Returns(200, workloadDto)
  async show(
    @Param('leaseId') leaseId: string,
    @Caller() caller: Caller,
  ): Promise<z.output<typeof workloadDto>> {
    const workload = await this.own.find(leaseId, caller);
    const { state, providerId } = workload;
    // A look at the whole cluster saw this workload too, as long as it stands there.
    const stands = state.desired === 'running' && state.appliedAtMs !== null && !state.outcome;
    const seenMs = stands ? (this.clusters.get(providerId)?.provenAtMs ?? 0) : 0;
    return toWorkloadDto(workload, Math.max(seenMs, workload.lastSeenMs ?? 0) || null);
  }

  /** What its cluster tells of it: scheduling, image pulls, restarts. Kept by clusters for an hour or so. */
  @Get(':leaseId/events')
  @RequireScopes('leases:read')
  @Returns(200, workloadEventsDto)
  async events(
    @Param('leaseId') leaseId: string,
    @Caller() caller: Caller,
  ): Promise<z.output<typeof workloadEventsDto>> {
    const { state, providerId } = await this.own.find(leaseId, caller);
    if (state.namespace === null || state.observed === 'absent') return { items: [] };
    const connection = this.clusters.get(providerId);
    try {
      if (!connection) throw new KubernetesError(0, 'NoConnection', 'no connection');
      return toWorkloadEventsDto(await connection.readEvents(state.namespace));
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      throw new DomainError('unavailable', 'cluster_unreachable', 'the cluster does not answer now', {
        cause: error,
      });
    }
  }
}
