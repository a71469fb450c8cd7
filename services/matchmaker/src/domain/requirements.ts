import type { WorkloadClass } from '@gridbourse/catalog';
import type { GpuRequest, MatchingProfile, PlacementGroup, WorkloadSpec } from '@gridbourse/events';
import { type GeoPoint, type Micros, minMicros, type OrderId, type ProviderId } from '@gridbourse/kernel';
import { replicaAmounts } from './capacity-book.ts';
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

const podsOf = (group: PlacementGroup): Pod<PodTag>[] => {
  const pods: Pod<PodTag>[] = [];
  for (const service of group.services) {
    const needs = replicaAmounts(service);
    for (let replica = 0; replica < service.replicas; replica += 1) {
      pods.push({ tag: { group: group.name, service: service.name, replica }, needs });
    }
  }
  return pods;
};

const totalOf = (group: string, pods: readonly Pod<PodTag>[]): Taken => {
  let [gpus, cpuMillis, memoryMiB, storageMiB] = [0, 0, 0, 0];
  for (const { needs } of pods) {
    gpus += needs.gpus;
    cpuMillis += needs.cpuMillis;
    memoryMiB += needs.memoryMiB;
    storageMiB += needs.storageMiB;
  }
  return { gpus, cpuMillis, memoryMiB, storageMiB, group };
};

const storageClassesOf = ({ services }: PlacementGroup): string[] => {
  const classes: string[] = [];
  for (const { resources } of services) {
    for (const volume of resources.volumes) {
      if (volume.kind !== 'persistent' || volume.storageClass === null) continue;
      if (!classes.includes(volume.storageClass)) classes.push(volume.storageClass);
    }
  }
  return classes;
};

const gpuRequestsOf = ({ services }: PlacementGroup): GpuRequest[] => {
  const requests: GpuRequest[] = [];
  for (const { resources } of services) if (resources.gpu) requests.push(resources.gpu);
  return requests;
};

/** Most orders name nobody. */
const NOBODY: ReadonlySet<ProviderId> = new Set();
const named = (providers: readonly ProviderId[]): ReadonlySet<ProviderId> =>
  providers.length === 0 ? NOBODY : new Set(providers);

export const groupNeed = (request: MatchRequest, group: PlacementGroup): GroupNeed => {
  const pods = podsOf(group);
  return {
    group,
    pods,
    total: totalOf(group.name, pods),
    gpuRequests: gpuRequestsOf(group),
    storageClasses: storageClassesOf(group),
    limitMicrosPerHour: minMicros(groupBudget(group), request.maxRateMicrosPerHour),
    durationSeconds: request.spec.durationSeconds,
    near: request.near,
    workload: request.workload ?? 'general',
    include: named(request.includeProviders),
    exclude: named(request.excludeProviders),
    declinedBy: named(request.declinedBy),
  };
};

export const groupNeeds = (request: MatchRequest): GroupNeed[] =>
  request.spec.groups.map((group) => groupNeed(request, group));
