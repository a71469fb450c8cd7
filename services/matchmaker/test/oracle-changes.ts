import { findGpu, migCompute, migMemoryMiB, throughput } from '@gridbourse/catalog';
import type { PlacementGroup, ServiceSpec } from '@gridbourse/events';
import type { MatchRequest } from '../src/domain/requirements.ts';
import { emptiedMarket, matches, type Small } from './oracle.ts';

/**
 * Every single change that an explanation may offer, each simply tried: the least that has to be given up. Nothing is shared
 * with the engine.
 */

type Trial = { size: number; request: MatchRequest };

const changeGroup = (
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

const changeServices = (
  request: MatchRequest,
  at: number,
  change: (service: ServiceSpec) => ServiceSpec,
): MatchRequest => changeGroup(request, at, (group) => ({ ...group, services: group.services.map(change) }));

type Entry = NonNullable<ServiceSpec['resources']['gpu']>['models'][number];

const changeModels = (
  request: MatchRequest,
  at: number,
  change: (entries: Entry[]) => Entry[],
): MatchRequest =>
  changeServices(request, at, (service) => {
    const { gpu } = service.resources;
    if (!gpu || gpu.models.length === 0) return service;
    return { ...service, resources: { ...service.resources, gpu: { ...gpu, models: change(gpu.models) } } };
  });

const speed = (id: string): number => {
  const model = findGpu(id);
  return model ? throughput(model) : 0;
};

const ceiling = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

/** Another budget, spread as the old one was; each service's part is rounded up. */
const withBudget = (request: MatchRequest, budget: bigint): MatchRequest => {
  const services = request.spec.groups.flatMap((group) => group.services);
  const total = services.reduce((sum, one) => sum + BigInt(one.replicas) * one.maxRateMicrosPerHour, 0n);
  const replicas = services.reduce((sum, one) => sum + one.replicas, 0);
  let changed = { ...request, maxRateMicrosPerHour: budget };
  for (let at = 0; at < request.spec.groups.length; at += 1) {
    changed = changeServices(changed, at, (service) => ({
      ...service,
      maxRateMicrosPerHour:
        total === 0n
          ? ceiling(budget, BigInt(replicas))
          : ceiling(service.maxRateMicrosPerHour * budget, total),
    }));
  }
  return changed;
};

/** The lowest budget that does: what a higher one pays for, it pays for as well. */
const dearer = (request: MatchRequest, market: Small): number => {
  const now = request.maxRateMicrosPerHour;
  let bad = now;
  let good = 10n ** 15n;
  if (!matches(withBudget(request, good), market)) return Infinity;
  while (good - bad > 1n) {
    const middle = (good + bad) / 2n;
    if (matches(withBudget(request, middle), market)) good = middle;
    else bad = middle;
  }
  return now === 0n ? 2 : Number((good * 1_000_000n) / now) / 1_000_000 - 1;
};

const smaller = (request: MatchRequest, at: number): Trial[] =>
  request.spec.groups[at]!.services.flatMap((service) => {
    const { resources, replicas } = service;
    const only = (changed: Partial<ServiceSpec>): MatchRequest =>
      changeServices(request, at, (one) => (one.name === service.name ? { ...one, ...changed } : one));
    const below = (now: number, step: number, make: (value: number) => Partial<ServiceSpec>): Trial[] => {
      const trials: Trial[] = [];
      for (let value = step; value < now; value += step) {
        trials.push({ size: 2 * (1 - value / now), request: only(make(value)) });
      }
      return trials;
    };
    const size = (changed: Partial<ServiceSpec['resources']>) => ({
      resources: { ...resources, ...changed },
    });
    return [
      ...(resources.gpu
        ? below(resources.gpu.count, 1, (count) => size({ gpu: { ...resources.gpu!, count } }))
        : []),
      ...below(replicas, 1, (value) => ({ replicas: value })),
      ...below(resources.cpuMillis, 100, (cpuMillis) => size({ cpuMillis })),
      ...below(resources.memoryMiB, 256, (memoryMiB) => size({ memoryMiB })),
      ...resources.volumes.flatMap((volume, i) =>
        volume.kind === 'ram'
          ? []
          : below(volume.sizeMiB, 1_024, (sizeMiB) =>
              size({ volumes: resources.volumes.with(i, { ...volume, sizeMiB }) }),
            ),
      ),
    ];
  });

const otherGpus = (request: MatchRequest, at: number, { stands }: Small): Trial[] => {
  const entries = request.spec.groups[at]!.services.flatMap(({ resources }) => resources.gpu?.models ?? []);
  if (entries.length === 0) return [];
  const names = new Set(entries.map(({ model }) => model));
  const best = Math.max(...[...names].map(speed));
  const added = stands
    .flatMap(({ offer }) => offer.gpu?.model ?? [])
    .filter((model) => !names.has(model))
    .map((model) => ({
      size: 0.3 + (best > 0 && speed(model) > 0 ? Math.abs(Math.log2(speed(model) / best)) : 1) / 4,
      request: changeModels(request, at, (all) => [
        ...all,
        { model, vramMiB: null, interface: null, migProfile: null },
      ]),
    }));
  const relaxed = [...names].flatMap((name) => {
    const most = Math.max(
      0,
      ...entries.filter(({ model }) => model === name).map(({ vramMiB }) => vramMiB ?? 0),
    );
    const change = (make: (entry: Entry) => Entry): MatchRequest =>
      changeModels(request, at, (all) => all.map((entry) => (entry.model === name ? make(entry) : entry)));
    return [
      { size: 0.1, request: change((entry) => ({ ...entry, interface: null })) },
      { size: 1.2, request: change((entry) => ({ ...entry, interface: null, vramMiB: null })) },
      ...stands.flatMap(({ offer: { gpu } }) =>
        gpu?.model === name && gpu.vramMiB < most
          ? {
              size: 1 - gpu.vramMiB / most,
              request: change((entry) => ({
                ...entry,
                vramMiB: Math.min(entry.vramMiB ?? gpu.vramMiB, gpu.vramMiB),
              })),
            }
          : [],
      ),
    ];
  });
  return [...added, ...relaxed];
};

type Gpu = NonNullable<ServiceSpec['resources']['gpu']>;

const changeGpus = (request: MatchRequest, at: number, change: (gpu: Gpu) => Gpu): MatchRequest =>
  changeServices(request, at, (service) => {
    const { gpu, ...others } = service.resources;
    return { ...service, resources: { ...others, gpu: gpu === null ? null : change(gpu) } };
  });

/** From one MIG profile to another of the model. */
const sliceSize = (id: string, from: string, to: string): number => {
  const compute = migCompute(id, to) / migCompute(id, from);
  const memory = migMemoryMiB(to)! / migMemoryMiB(from)!;
  const distance = Math.abs(Math.log2(compute)) + Math.abs(Math.log2(memory));
  return (compute < 1 || memory < 1 ? 0.4 : 0.1) + distance / 10;
};

const otherSlices = (request: MatchRequest, at: number, { stands }: Small): Trial[] => {
  const entries = request.spec.groups[at]!.services.flatMap(({ resources: { gpu } }) =>
    gpu?.sharing.mode === 'mig' ? gpu.models : [],
  );
  return stands.flatMap(({ offer: { gpu: sold } }) => {
    if (sold?.sharing.mode !== 'mig') return [];
    const { profile } = sold.sharing;
    const asked = entries.flatMap(({ model, migProfile }) =>
      model === sold.model && migProfile !== null ? [migProfile] : [],
    );
    if (asked.length === 0 || asked.includes(profile)) return [];
    const changed = changeGpus(request, at, (gpu) =>
      gpu.sharing.mode !== 'mig'
        ? gpu
        : {
            ...gpu,
            models: gpu.models.flatMap((one) =>
              one.model === sold.model && one.migProfile !== null
                ? [one, { ...one, migProfile: profile }]
                : [one],
            ),
          },
    );
    return [
      { size: Math.min(...asked.map((from) => sliceSize(sold.model, from, profile))), request: changed },
    ];
  });
};

const otherShares = (request: MatchRequest, at: number): Trial[] => {
  const gpus = request.spec.groups[at]!.services.flatMap(({ resources: { gpu } }) => gpu ?? []);
  const asked = gpus.flatMap(({ sharing }) => (sharing.mode === 'shared' ? [sharing.milli] : []));
  const most = Math.max(0, ...asked);
  const wholes = changeGpus(request, at, (gpu) => ({
    ...gpu,
    sharing: { mode: 'whole' },
    models: gpu.models.map((one) => ({ ...one, migProfile: null })),
  }));
  return [
    ...(gpus.every(({ sharing }) => sharing.mode === 'whole') ? [] : [{ size: 0.2, request: wholes }]),
    ...Array.from({ length: Math.max(0, most - 1) }, (_, i) => ({
      size: 2 * (1 - (i + 1) / most),
      request: changeGpus(request, at, (gpu) =>
        gpu.sharing.mode === 'shared'
          ? { ...gpu, sharing: { mode: 'shared', milli: Math.min(gpu.sharing.milli, i + 1) } }
          : gpu,
      ),
    })),
  ];
};

const slowerNetworks = (request: MatchRequest, at: number): Trial[] => {
  const names = ['ethernet', 'roce', 'infiniband', 'nvlink'] as const;
  const now = names.indexOf(request.spec.groups[at]!.interconnect ?? 'ethernet');
  return names.slice(0, now).map((interconnect, rank) => ({
    size: 0.2 * (now - rank),
    request: changeGroup(request, at, (group) => ({ ...group, interconnect })),
  }));
};

const elsewhere = (request: MatchRequest, at: number, { stands }: Small): Trial[] => {
  const group = request.spec.groups[at]!;
  const persistent = group.services.some(({ resources }) =>
    resources.volumes.some((one) => one.kind === 'persistent' && one.storageClass !== null),
  );
  const tiers = Array.from({ length: 7 - group.tierFloor }, (_, i) => group.tierFloor + 1 + i);
  return [
    ...(group.regions.length === 0
      ? []
      : stands.map(({ provider }) => ({
          size: 0.3,
          request: changeGroup(request, at, (one) => ({
            ...one,
            regions: [...one.regions, provider.place.region],
          })),
        }))),
    ...Object.keys(group.attributes).map((key) => ({
      size: 0.4,
      request: changeGroup(request, at, ({ attributes: { [key]: _, ...attributes }, ...one }) => ({
        ...one,
        attributes,
      })),
    })),
    ...tiers.map((tierFloor) => ({
      size: 0.2 * (tierFloor - group.tierFloor),
      request: changeGroup(request, at, (one) => ({ ...one, tierFloor })),
    })),
    ...(persistent ? stands.flatMap(({ offer }) => offer.storageClasses) : []).map((storageClass) => ({
      size: 0.25,
      request: changeServices(request, at, (service) => ({
        ...service,
        resources: {
          ...service.resources,
          volumes: service.resources.volumes.map((one) =>
            one.kind === 'persistent' && one.storageClass !== null ? { ...one, storageClass } : one,
          ),
        },
      })),
    })),
  ];
};

const amongMore = (request: MatchRequest, at: number): Trial[] => {
  const group = request.spec.groups[at]!;
  const replicas = group.services.reduce((sum, one) => sum + one.replicas, 0);
  const more = Math.max(0, Math.min(16, replicas) - group.maxProviders);
  return Array.from({ length: more }, (_, i) => ({
    size: 0.2 + 0.05 * (i + 1),
    request: changeGroup(request, at, (one) => ({ ...one, maxProviders: group.maxProviders + i + 1 })),
  }));
};

const ofTheOrder = (request: MatchRequest, { stands }: Small): Trial[] => {
  const now = request.spec.durationSeconds;
  const durations = stands
    .flatMap(({ offer: { policy } }) => [
      ...(policy.minDurationSeconds > now ? [policy.minDurationSeconds] : []),
      ...(policy.maxDurationSeconds < now ? [policy.maxDurationSeconds] : []),
    ])
    .map((durationSeconds) => ({
      size: Math.abs(Math.log2(durationSeconds / now)),
      request: { ...request, spec: { ...request.spec, durationSeconds } },
    }));
  return [
    ...durations,
    ...(request.includeProviders.length > 0
      ? [{ size: 0.5, request: { ...request, includeProviders: [] } }]
      : []),
    ...request.excludeProviders.map((allowed) => ({
      size: 0.45,
      request: { ...request, excludeProviders: request.excludeProviders.filter((one) => one !== allowed) },
    })),
  ];
};

/** Size of the smallest single change with which the order matches; Infinity when none does. */
export const smallestChangeSize = (request: MatchRequest, market: Small): number => {
  const trials = [
    ...ofTheOrder(request, market),
    ...request.spec.groups.flatMap((_, at) => [
      ...otherGpus(request, at, market),
      ...otherSlices(request, at, market),
      ...otherShares(request, at),
      ...slowerNetworks(request, at),
      ...elsewhere(request, at, market),
      ...smaller(request, at),
      ...amongMore(request, at),
    ]),
  ].sort((a, b) => a.size - b.size);
  const first = trials.find((trial) => matches(trial.request, market));
  return Math.min(
    first?.size ?? Infinity,
    matches(request, emptiedMarket(market)) ? 0.35 : Infinity,
    dearer(request, market),
  );
};
