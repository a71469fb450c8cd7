import type { ServiceSpec } from '@gridbourse/events';
import { gpuThroughput } from './catalogue.ts';
import { single, type Change, type Try } from './change.ts';
import { mostParts } from './division/portion.ts';
import { type GpuEntry, withGroup, withModels, withServices } from './group-edits.ts';
import type { MarketView } from './matching.ts';
import { groupNeed, type MatchRequest } from './requirements.ts';
import { networks, sharings } from './sharing-changes.ts';
import { gpusOnSale, modelsOnSale, regionsOnSale, storageClassesOnSale } from './survey/on-sale.ts';

/** As many as the published language allows. */
const MAX_PROVIDERS = 16;

/** Where passing is not monotone, so many numbers are tried one by one, and from there on each an eighth below the last. */
const TRIED_ONE_BY_ONE = 64;

/** The largest number in [1, high] that passes, among those that are tried. */
const firstThat = (high: number, passes: (value: number) => boolean): number | null => {
  const last = Math.max(0, high - TRIED_ONE_BY_ONE);
  for (let value = high; value > last; value -= 1) if (passes(value)) return value;
  for (let value = last; value > 0; value = Math.floor((value * 7) / 8)) if (passes(value)) return value;
  return null;
};

/** The largest whole number in [low, high] that passes, null when none does; passing must be monotone downwards. */
const largestThat = (low: number, high: number, passes: (value: number) => boolean): number | null => {
  if (high < low || !passes(low)) return null;
  let good = low;
  let bad = high + 1;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (passes(middle)) good = middle;
    else bad = middle;
  }
  return good;
};

function* models(request: MatchRequest, at: number, view: MarketView, attempt: Try): Generator<Change> {
  const group = request.spec.groups[at]!;
  const names = [
    ...new Set(group.services.flatMap(({ resources }) => resources.gpu?.models ?? []).map((m) => m.model)),
  ];
  if (names.length === 0) return;
  const reference = Math.max(...names.map((model) => gpuThroughput({ model })));
  for (const model of modelsOnSale(view)) {
    if (names.includes(model)) continue;
    const changed = withModels(request, at, (entries) => [
      ...entries,
      { model, vramMiB: null, interface: null, migProfile: null },
    ]);
    const throughput = gpuThroughput({ model });
    const distance = reference > 0 && throughput > 0 ? Math.abs(Math.log2(throughput / reference)) : 1;
    const size = 0.3 + distance / 4;
    if (!attempt(changed, size)) continue;
    yield single(changed, {
      field: `groups.${group.name}.gpu.models`,
      from: names.join(', ').slice(0, 200),
      to: `${names.join(', ').slice(0, 130)} or ${model}`,
      text: `Take ${model} as well.`,
      size,
    });
  }
}

/** Less memory, or another interface, of a model that was asked for: the least that is given up and matches. */
function* variants(request: MatchRequest, at: number, view: MarketView, attempt: Try): Generator<Change> {
  const group = request.spec.groups[at]!;
  const wanted = group.services.flatMap(({ resources }) => resources.gpu?.models ?? []);
  for (const model of new Set(wanted.map((entry) => entry.model))) {
    const asked = wanted.filter((entry) => entry.model === model);
    const vram = Math.max(0, ...asked.map((entry) => entry.vramMiB ?? 0));
    const smaller = gpusOnSale(view)
      .flatMap((gpu) => (gpu.model === model && gpu.vramMiB < vram ? [gpu.vramMiB] : []))
      .sort((a, b) => b - a);
    const relaxed: { to: string; size: number; change: (entry: GpuEntry) => GpuEntry }[] = [
      { to: 'any interface', size: 0.1, change: (entry) => ({ ...entry, interface: null }) },
      ...[...new Set(smaller)].map((vramMiB) => ({
        to: `${vramMiB} MiB`,
        size: 1 - vramMiB / vram,
        change: (entry: GpuEntry) => ({ ...entry, vramMiB: Math.min(entry.vramMiB ?? vramMiB, vramMiB) }),
      })),
      {
        to: 'any memory and interface',
        size: 1.2,
        change: (entry) => ({ ...entry, vramMiB: null, interface: null }),
      },
    ];
    for (const { to, size, change } of relaxed.sort((a, b) => a.size - b.size)) {
      const changed = withModels(request, at, (entries) =>
        entries.map((entry) => (entry.model === model ? change(entry) : entry)),
      );
      if (!attempt(changed, size)) continue;
      yield single(changed, {
        field: `groups.${group.name}.gpu.models.${model}`.slice(0, 120),
        from: describeModels(asked),
        to: `${model}, ${to}`,
        text: `Take ${model} with ${to}.`,
        size,
      });
      break;
    }
  }
}

const describeModels = (
  entries: readonly { model: string; vramMiB: number | null; interface: string | null }[],
): string =>
  entries
    .map(({ model, vramMiB, interface: bus }) =>
      [model, vramMiB === null ? '' : `${vramMiB} MiB`, bus ?? ''].filter(Boolean).join(' '),
    )
    .join(', ')
    .slice(0, 200);

/** A smaller number of one thing of one service: GPUs, replicas, CPU, memory, a volume. */
type Quantity = {
  readonly name: string;
  readonly unit: string;
  readonly step: number;
  /**
   * Whether an order that matches with more of it also matches with less. Not so for replicas: each brings what may be paid for it,
   * of which another service may need some.
   */
  readonly lessIsEasier: boolean;
  readonly read: (service: ServiceSpec) => number;
  readonly write: (service: ServiceSpec, value: number) => ServiceSpec;
};

const resized = (service: ServiceSpec, resources: Partial<ServiceSpec['resources']>): ServiceSpec => ({
  ...service,
  resources: { ...service.resources, ...resources },
});

const QUANTITIES: readonly Quantity[] = [
  {
    name: 'gpu.count',
    unit: 'GPUs',
    step: 1,
    lessIsEasier: true,
    read: ({ resources }) => resources.gpu?.count ?? 0,
    write: (service, count) => resized(service, { gpu: { ...service.resources.gpu!, count } }),
  },
  {
    name: 'replicas',
    unit: 'replicas',
    step: 1,
    lessIsEasier: false,
    read: ({ replicas }) => replicas,
    write: (service, replicas) => ({ ...service, replicas }),
  },
  {
    name: 'cpu',
    unit: 'm of CPU',
    step: 100,
    lessIsEasier: true,
    read: ({ resources }) => resources.cpuMillis,
    write: (service, cpuMillis) => resized(service, { cpuMillis }),
  },
  {
    name: 'memory',
    unit: 'MiB of memory',
    step: 256,
    lessIsEasier: true,
    read: ({ resources }) => resources.memoryMiB,
    write: (service, memoryMiB) => resized(service, { memoryMiB }),
  },
];

/** Every volume but those in memory, scaled together: a service mostly has one that matters. */
const volumeQuantity = (service: ServiceSpec, index: number): Quantity => ({
  name: `volumes.${service.resources.volumes[index]!.name}`,
  unit: 'MiB of storage',
  step: 1_024,
  lessIsEasier: true,
  read: ({ resources }) => resources.volumes[index]!.sizeMiB,
  write: (changed, sizeMiB) =>
    resized(changed, {
      volumes: changed.resources.volumes.map((volume, i) => (i === index ? { ...volume, sizeMiB } : volume)),
    }),
});

function* quantities(request: MatchRequest, at: number, attempt: Try): Generator<Change> {
  const group = request.spec.groups[at]!;
  for (const service of group.services) {
    const volumes = service.resources.volumes.flatMap((volume, index) =>
      volume.kind === 'ram' ? [] : [volumeQuantity(service, index)],
    );
    for (const quantity of [...QUANTITIES, ...volumes]) {
      const now = quantity.read(service);
      const steps = Math.ceil(now / quantity.step) - 1;
      const reduce = (value: number): MatchRequest =>
        withServices(request, at, (one) => (one.name === service.name ? quantity.write(one, value) : one));
      const passes = (value: number, size?: number): boolean =>
        attempt(reduce(value * quantity.step), size) !== null;
      const sizeOf = (to: number): number => (1 - to / now) * 2;
      const best = quantity.lessIsEasier
        ? largestThat(1, steps, (value) => passes(value))
        : firstThat(steps, (value) => passes(value, sizeOf(value * quantity.step)));
      if (best === null) continue;
      const to = best * quantity.step;
      yield single(reduce(to), {
        field: `groups.${group.name}.services.${service.name}.${quantity.name}`,
        from: `${now}`,
        to: `${to}`,
        text: `Ask for ${to} instead of ${now} ${quantity.unit} in ${service.name}.`,
        size: sizeOf(to),
      });
    }
  }
}

function* places(request: MatchRequest, at: number, view: MarketView, attempt: Try): Generator<Change> {
  const group = request.spec.groups[at]!;
  if (group.regions.length > 0) {
    for (const region of regionsOnSale(view)) {
      if (group.regions.includes(region)) continue;
      const changed = withGroup(request, at, (one) => ({ ...one, regions: [...one.regions, region] }));
      if (!attempt(changed, 0.3)) continue;
      yield single(changed, {
        field: `groups.${group.name}.regions`,
        from: group.regions.join(', ').slice(0, 200),
        to: `${group.regions.join(', ').slice(0, 150)} or ${region}`,
        text: `Allow region ${region}.`,
        size: 0.3,
      });
    }
  }
  for (const [key, value] of Object.entries(group.attributes)) {
    const changed = withGroup(request, at, (one) => ({
      ...one,
      attributes: Object.fromEntries(Object.entries(one.attributes).filter(([name]) => name !== key)),
    }));
    if (!attempt(changed, 0.4)) continue;
    yield single(changed, {
      field: `groups.${group.name}.attributes.${key}`.slice(0, 120),
      from: value.slice(0, 200),
      to: 'any',
      text: `Do not ask for ${key} = ${value}.`.slice(0, 300),
      size: 0.4,
    });
  }
}

function* trust(request: MatchRequest, at: number, attempt: Try): Generator<Change> {
  const group = request.spec.groups[at]!;
  for (let tier = group.tierFloor + 1; tier <= 7; tier += 1) {
    const changed = withGroup(request, at, (one) => ({ ...one, tierFloor: tier }));
    const size = 0.2 * (tier - group.tierFloor);
    if (!attempt(changed, size)) continue;
    yield single(changed, {
      field: `groups.${group.name}.tierFloor`,
      from: `${group.tierFloor}`,
      to: `${tier}`,
      text: `Accept providers down to tier ${tier}.`,
      size,
    });
    return;
  }
}

function* storageClasses(
  request: MatchRequest,
  at: number,
  view: MarketView,
  attempt: Try,
): Generator<Change> {
  const group = request.spec.groups[at]!;
  const wanted = groupNeed(request, group).storageClasses;
  if (wanted.length === 0) return;
  for (const name of storageClassesOnSale(view)) {
    const changed = withServices(request, at, (service) =>
      resized(service, {
        volumes: service.resources.volumes.map((volume) =>
          volume.kind === 'persistent' && volume.storageClass !== null
            ? { ...volume, storageClass: name }
            : volume,
        ),
      }),
    );
    if (!attempt(changed, 0.25)) continue;
    yield single(changed, {
      field: `groups.${group.name}.storageClass`,
      from: wanted.join(', '),
      to: name,
      text: `Use storage class ${name}.`,
      size: 0.25,
    });
  }
}

/** Among as few providers of one region as will do; what so many can take, more can take as well. */
function* division(request: MatchRequest, at: number, attempt: Try): Generator<Change> {
  if (request.auction === true) return;
  const group = request.spec.groups[at]!;
  const among = (maxProviders: number): MatchRequest =>
    withGroup(request, at, (one) => ({ ...one, maxProviders }));
  const sizeOf = (maxProviders: number): number => 0.2 + 0.05 * (maxProviders - group.maxProviders);
  let bad = group.maxProviders;
  let good = mostParts({ ...group, maxProviders: MAX_PROVIDERS });
  if (good <= bad || !attempt(among(good), sizeOf(bad + 1))) return;
  while (good - bad > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (attempt(among(middle), sizeOf(bad + 1))) good = middle;
    else bad = middle;
  }
  yield single(among(good), {
    field: `groups.${group.name}.maxProviders`,
    from: `${group.maxProviders}`,
    to: `${good}`,
    text: `Let ${group.name} be divided over up to ${good} providers of one region.`.slice(0, 300),
    size: sizeOf(good),
  });
}

/** Changes inside one group with which the order would match. */
export function* groupChanges(
  request: MatchRequest,
  at: number,
  view: MarketView,
  attempt: Try,
): Generator<Change> {
  yield* models(request, at, view, attempt);
  yield* variants(request, at, view, attempt);
  yield* sharings(request, at, view, attempt);
  yield* networks(request, at, attempt);
  yield* places(request, at, view, attempt);
  yield* trust(request, at, attempt);
  yield* storageClasses(request, at, view, attempt);
  yield* division(request, at, attempt);
  yield* quantities(request, at, attempt);
}
