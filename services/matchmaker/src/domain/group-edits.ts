import type { GpuRequest, PlacementGroup, ServiceSpec } from '@gridbourse/events';
import type { MatchRequest } from './requirements.ts';

export type GpuEntry = GpuRequest['models'][number];

/** The order with one of its groups changed. */
export const withGroup = (
  request: MatchRequest,
  at: number,
  change: (group: PlacementGroup) => PlacementGroup,
): MatchRequest => ({
  ...request,
  spec: {
    ...request.spec,
    groups: request.spec.groups.map((group, i) => (i === at ? change(group) : group)),
  },
});

/** The order with every service of one group changed. */
export const withServices = (
  request: MatchRequest,
  at: number,
  change: (service: ServiceSpec) => ServiceSpec,
): MatchRequest => withGroup(request, at, (group) => ({ ...group, services: group.services.map(change) }));

/** The order with other GPU models asked for where some are named; whoever takes any takes any still. */
export const withModels = (
  request: MatchRequest,
  at: number,
  change: (entries: readonly GpuEntry[]) => GpuEntry[],
): MatchRequest =>
  withServices(request, at, (service) => {
    const gpu = service.resources.gpu;
    if (!gpu || gpu.models.length === 0) return service;
    return { ...service, resources: { ...service.resources, gpu: { ...gpu, models: change(gpu.models) } } };
  });
