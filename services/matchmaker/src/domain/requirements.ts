import type { WorkloadClass } from '@gridbourse/catalog';
import type { GpuRequest, MatchingProfile, PlacementGroup, WorkloadSpec } from '@gridbourse/events';
import { type GeoPoint, type Micros, minMicros, type OrderId, type ProviderId } from '@gridbourse/kernel';
import { groupAmounts, replicaAmounts } from './capacity-book.ts';
import type { Pod } from './packing.ts';
import { groupBudget, type Taken } from './pricing.ts';
import type { Weights } from './scoring.ts';

/** What matching needs to know of an order; a quote has the same shape. */
export type MatchRequest = {
  /** Seeds the breaking of ties, so that the same order always falls the same way. */
  readonly orderId: OrderId;
  readonly spec: WorkloadSpec;
  readonly maxRateMicrosPerHour: Micros;
  readonly profile: MatchingProfile;
  /** In place of the profile's. */
  readonly weights?: Weights;
  /** What the GPUs are for; without it their throughput over all kinds of work counts. */
  readonly workload?: WorkloadClass;
  readonly near: GeoPoint | null;
  /** Bids are for whole groups: none is divided. */
  readonly auction?: boolean;
  /** Empty: any. */
  readonly includeProviders: readonly ProviderId[];
  readonly excludeProviders: readonly ProviderId[];
  /** Providers that said no to this very order, or did not answer. */
  readonly declinedBy: readonly ProviderId[];
};

export type PodTag = { readonly group: string; readonly service: string; readonly replica: number };

/** One group's demands, worked out once and checked against every offer. */
export type GroupNeed = {
  readonly group: PlacementGroup;
  readonly pods: readonly Pod<PodTag>[];
  readonly total: Taken;
  readonly gpuRequests: readonly GpuRequest[];
  /** Storage classes of persistent volumes that were asked for by name. */
  readonly storageClasses: readonly string[];
  readonly limitMicrosPerHour: Micros;
  readonly durationSeconds: number;
  readonly near: GeoPoint | null;
  readonly workload: WorkloadClass;
  readonly include: ReadonlySet<ProviderId>;
  readonly exclude: ReadonlySet<ProviderId>;
  readonly declinedBy: ReadonlySet<ProviderId>;
};

const podsOf = (group: PlacementGroup): Pod<PodTag>[] =>
  group.services.flatMap((service) => {
    const needs = replicaAmounts(service);
    return Array.from({ length: service.replicas }, (_, replica) => ({
      tag: { group: group.name, service: service.name, replica },
      needs,
    }));
  });

export const groupNeed = (request: MatchRequest, group: PlacementGroup): GroupNeed => ({
  group,
  pods: podsOf(group),
  total: { ...groupAmounts(group), group: group.name },
  gpuRequests: group.services.flatMap(({ resources }) => (resources.gpu ? [resources.gpu] : [])),
  storageClasses: [
    ...new Set(
      group.services.flatMap(({ resources }) =>
        resources.volumes.flatMap((volume) =>
          volume.kind === 'persistent' && volume.storageClass !== null ? [volume.storageClass] : [],
        ),
      ),
    ),
  ],
  limitMicrosPerHour: minMicros(groupBudget(group), request.maxRateMicrosPerHour),
  durationSeconds: request.spec.durationSeconds,
  near: request.near,
  workload: request.workload ?? 'general',
  include: new Set(request.includeProviders),
  exclude: new Set(request.excludeProviders),
  declinedBy: new Set(request.declinedBy),
});

export const groupNeeds = (request: MatchRequest): GroupNeed[] =>
  request.spec.groups.map((group) => groupNeed(request, group));
