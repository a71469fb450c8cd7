import {
  estimateRttMs,
  findGpu,
  nominalVramMiB,
  sharingText,
  throughput,
  unitShare,
} from '@gridbourse/catalog';
import type { PlacementGroup, ServiceSpec } from '@gridbourse/events';
import type { CapacityBook } from '../src/domain/capacity-book.ts';
import type { Market, Offer, Provider } from '../src/domain/market.ts';
import type { MatchRequest } from '../src/domain/requirements.ts';

/**
 * What matching should find, by the plainest reading of docs/matching.md: everything is tried, nothing is clever, and
 * nothing is shared with the engine but the types and the catalogue's facts. For markets of a few offers.
 */

type Machine = { gpus: number; cpu: number; memory: number; storage: number };
type Stand = { offer: Offer; provider: Provider; declared: Machine[]; free: Machine[] };
export type Small = { stands: Stand[] };

const machine = (node: {
  gpus: number;
  cpuMillis: number;
  memoryMiB: number;
  storageMiB: number;
}): Machine => ({
  gpus: node.gpus,
  cpu: node.cpuMillis,
  memory: node.memoryMiB,
  storage: node.storageMiB,
});

const minus = (a: Machine, b: Machine): Machine => ({
  gpus: a.gpus - b.gpus,
  cpu: a.cpu - b.cpu,
  memory: a.memory - b.memory,
  storage: a.storage - b.storage,
});
const notNegative = (a: Machine): boolean => a.gpus >= 0 && a.cpu >= 0 && a.memory >= 0 && a.storage >= 0;

const soldAs = ({ gpu }: Offer): string => (gpu ? sharingText(gpu.sharing) : 'whole');

export const smallMarket = (market: Market, book: CapacityBook): Small => ({
  stands: [...market.offers()].map((offer) => {
    const declared = offer.nodes.map(machine);
    const free = offer.nodes.map((node) => {
      let left = machine(node);
      for (const { providerId, unit, onNodes } of book.all()) {
        if (providerId !== offer.providerId) continue;
        const here = onNodes.get(node.name);
        if (!here) continue;
        left = minus(left, machine(here));
        // Other parts of GPUs are taken from the same GPUs, of which nobody tells.
        if (here.gpus > 0 && unit !== soldAs(offer)) left.gpus = 0;
      }
      return {
        gpus: Math.max(0, left.gpus),
        cpu: Math.max(0, left.cpu),
        memory: Math.max(0, left.memory),
        storage: Math.max(0, left.storage),
      };
    });
    return { offer, provider: market.provider(offer.providerId)!, declared, free };
  }),
});

export const emptiedMarket = ({ stands }: Small): Small => ({
  stands: stands.map((stand) => ({ ...stand, free: stand.declared })),
});

const replicaOf = (service: ServiceSpec): Machine => ({
  gpus: service.resources.gpu?.count ?? 0,
  cpu: service.resources.cpuMillis,
  memory: service.resources.memoryMiB,
  storage: service.resources.volumes
    .filter((one) => one.kind !== 'ram')
    .reduce((sum, one) => sum + one.sizeMiB, 0),
});
const replicasOf = (group: PlacementGroup): Machine[] =>
  group.services.flatMap((service) => Array.from({ length: service.replicas }, () => replicaOf(service)));

const larger = (a: Machine, b: Machine): number =>
  b.gpus - a.gpus || b.cpu - a.cpu || b.memory - a.memory || b.storage - a.storage;
const fuller = (a: Machine, b: Machine): number => a.gpus - b.gpus || a.cpu - b.cpu || a.memory - b.memory;

/** Largest replica first, fullest machine first, every way until one works. Gives each replica's machine. */
const place = (replicas: Machine[], machines: Machine[]): Map<Machine, number> | null => {
  const order = [...replicas].sort(larger);
  const go = (at: number, left: Machine[]): Map<Machine, number> | null => {
    if (at === order.length) return new Map();
    const places = left
      .map((_, i) => i)
      .filter((i) => notNegative(minus(left[i]!, order[at]!)))
      .sort((i, j) => fuller(left[i]!, left[j]!) || i - j);
    for (const i of places) {
      const rest = go(at + 1, left.with(i, minus(left[i]!, order[at]!)));
      if (rest) return rest.set(order[at]!, i);
    }
    return null;
  };
  return go(0, machines);
};

const rateOf = (offer: Offer, group: PlacementGroup): bigint => {
  const all = replicasOf(group);
  const total = (pick: (one: Machine) => number): bigint =>
    BigInt(all.reduce((sum, one) => sum + pick(one), 0));
  const numerator =
    offer.price.perGpu * total((one) => one.gpus) * 1_024_000n +
    offer.price.perCpuCore * total((one) => one.cpu) * 1_024n +
    offer.price.perMemoryGiB * total((one) => one.memory) * 1_000n +
    offer.price.perStorageGiB * total((one) => one.storage) * 1_000n;
  return numerator === 0n ? 0n : (numerator - 1n) / 1_024_000n + 1n;
};

const vram = (model: string, mib: number): number => {
  const known = findGpu(model);
  return (known && nominalVramMiB(known, mib)) ?? mib;
};

const NETWORKS = ['ethernet', 'roce', 'infiniband', 'nvlink'];

type Asked = NonNullable<ServiceSpec['resources']['gpu']>;
type Sold = NonNullable<Offer['gpu']>['sharing'];

const soldAsAsked = (asked: Asked['sharing'], sold: Sold, profile: string | null): boolean => {
  switch (sold.mode) {
    case 'whole':
      return asked.mode === 'whole';
    case 'mig':
      return asked.mode === 'mig' && [null, sold.profile].includes(profile);
    case 'shared':
      // Each slot is a whole number of thousandths, and all of them are no more than the GPU.
      return asked.mode === 'shared' && asked.milli * sold.slotsPerGpu <= 1_000;
  }
};

const gpuWillDo = (group: PlacementGroup, gpu: Offer['gpu']): boolean =>
  group.services.every(({ resources: { gpu: asked } }) => {
    if (!asked) return true;
    if (!gpu || gpu.vendor !== asked.vendor) return false;
    if (asked.models.length === 0) return soldAsAsked(asked.sharing, gpu.sharing, null);
    return asked.models.some(
      (one) =>
        one.model === gpu.model &&
        (one.vramMiB === null || vram(gpu.model, gpu.vramMiB) >= vram(gpu.model, one.vramMiB)) &&
        (one.interface === null || one.interface === gpu.interface) &&
        soldAsAsked(asked.sharing, gpu.sharing, one.migProfile),
    );
  });

const budgetOf = (request: MatchRequest, group: PlacementGroup): bigint => {
  let own = 0n;
  for (const service of group.services) own += BigInt(service.replicas) * service.maxRateMicrosPerHour;
  return own < request.maxRateMicrosPerHour ? own : request.maxRateMicrosPerHour;
};

const suits = (request: MatchRequest, group: PlacementGroup, { offer, provider }: Stand): boolean => {
  const classes = group.services.flatMap(({ resources }) =>
    resources.volumes.flatMap((one) =>
      one.kind === 'persistent' && one.storageClass ? [one.storageClass] : [],
    ),
  );
  const { durationSeconds } = request.spec;
  return (
    provider.activated &&
    !provider.suspended &&
    provider.presence === 'online' &&
    (request.includeProviders.length === 0 || request.includeProviders.includes(provider.providerId)) &&
    !request.excludeProviders.includes(provider.providerId) &&
    !request.declinedBy.includes(provider.providerId) &&
    provider.tier <= group.tierFloor &&
    (group.regions.length === 0 || group.regions.includes(provider.place.region)) &&
    Object.entries(group.attributes).every(([key, value]) => provider.attributes[key] === value) &&
    offer.policy.minDurationSeconds <= durationSeconds &&
    durationSeconds <= offer.policy.maxDurationSeconds &&
    classes.every((name) =>
      name === 'default' ? offer.storageClasses.length > 0 : offer.storageClasses.includes(name),
    ) &&
    NETWORKS.indexOf(offer.interconnect) >= NETWORKS.indexOf(group.interconnect ?? 'ethernet') &&
    gpuWillDo(group, offer.gpu)
  );
};

const fitsAlone = (request: MatchRequest, group: PlacementGroup, stand: Stand): boolean =>
  suits(request, group, stand) &&
  rateOf(stand.offer, group) <= budgetOf(request, group) &&
  place(replicasOf(group), stand.free) !== null;

/** So many of something, on so many places: every way to hand them out. */
const handOuts = (count: number, places: number): number[][] =>
  places === 1
    ? [[count]]
    : Array.from({ length: count + 1 }, (_, here) => here).flatMap((here) =>
        handOuts(count - here, places - 1).map((rest) => [here, ...rest]),
      );

const subsets = <T>(all: T[], size: number): T[][] =>
  size === 0
    ? [[]]
    : all.flatMap((one, i) => subsets(all.slice(i + 1), size - 1).map((rest) => [one, ...rest]));

type Seat = { stand: Stand; group: PlacementGroup };

/** Every way to divide the group over these stands, with something for each. */
const dividedOver = (group: PlacementGroup, stands: Stand[]): Seat[][] => {
  const ways = group.services.reduce<number[][][]>(
    (before, { replicas }) =>
      before.flatMap((way) => handOuts(replicas, stands.length).map((counts) => [...way, counts])),
    [[]],
  );
  return ways
    .map((way) =>
      stands.map((stand, at) => ({
        stand,
        group: {
          ...group,
          services: group.services.flatMap((service, i) =>
            way[i]![at]! > 0 ? [{ ...service, replicas: way[i]![at]! }] : [],
          ),
        },
      })),
    )
    .filter((seats) => seats.every((seat) => seat.group.services.length > 0));
};

/** Wherever the group may go: whole, or in parts in one region that cost together what the whole may cost. */
const seatings = (request: MatchRequest, group: PlacementGroup, stands: Stand[]): Seat[][] => {
  const whole = stands.filter((stand) => fitsAlone(request, group, stand)).map((stand) => [{ stand, group }]);
  const regions = new Set(stands.map(({ provider }) => provider.place.region));
  // Two providers have no network in common but the internet.
  const most = (group.interconnect ?? 'ethernet') === 'ethernet' ? group.maxProviders : 1;
  const sizes = Array.from({ length: Math.max(0, most - 1) }, (_, i) => i + 2);
  const parts = [...regions].flatMap((region) => {
    const here = stands.filter(
      (stand) =>
        stand.provider.place.region === region &&
        group.services.some((one) => suits(request, { ...group, services: [one] }, stand)),
    );
    return sizes
      .flatMap((size) => subsets(here, size))
      .flatMap((some) => dividedOver(group, some))
      .filter(
        (seats) =>
          seats.reduce((sum, seat) => sum + rateOf(seat.stand.offer, seat.group), 0n) <=
          budgetOf(request, group),
      )
      .filter((seats) =>
        seats.every(
          (seat) =>
            suits(request, seat.group, seat.stand) && place(replicasOf(seat.group), seat.stand.free) !== null,
        ),
      );
  });
  return [...whole, ...parts];
};

/** Whether all groups find a place at once, within the budget. */
export const matches = (request: MatchRequest, { stands }: Small): boolean => {
  const options = request.spec.groups.map((group) => seatings(request, group, stands));
  const go = (at: number, taken: Seat[]): boolean => {
    const spent = taken.reduce((sum, seat) => sum + rateOf(seat.stand.offer, seat.group), 0n);
    if (spent > request.maxRateMicrosPerHour) return false;
    if (at === options.length) {
      return stands.every((stand) => {
        const here = taken.filter((seat) => seat.stand === stand).flatMap((seat) => replicasOf(seat.group));
        return place(here, stand.free) !== null;
      });
    }
    return options[at]!.some((seats) => go(at + 1, [...taken, ...seats]));
  };
  return go(0, []);
};

/** Whether this is a place for the group, among all that there are: offers with the replicas of each service. */
export const isPlaceFor = (
  request: MatchRequest,
  group: PlacementGroup,
  { stands }: Small,
  taken: { offerId: string; replicas: Record<string, number> }[],
): boolean => {
  const text = (all: { offerId: string; replicas: Record<string, number> }[]): string =>
    JSON.stringify(all.map(({ offerId, replicas }) => [offerId, Object.entries(replicas).sort()]).sort());
  return seatings(request, group, stands).some(
    (seats) =>
      text(
        seats.map((seat) => ({
          offerId: seat.stand.offer.offerId,
          replicas: Object.fromEntries(seat.group.services.map((one) => [one.name, one.replicas])),
        })),
      ) === text(taken),
  );
};

const WEIGHTS = {
  cheapest: [0.75, 0.05, 0.05, 0.05, 0.1],
  balanced: [0.35, 0.15, 0.2, 0.2, 0.1],
  fastest: [0.15, 0.1, 0.55, 0.1, 0.1],
  nearest: [0.15, 0.6, 0.05, 0.1, 0.1],
};
const UPTIME = [0.99, 0.98, 0.97, 0.95, 0.9, 0.75, 0];

/** Offers that fit a group alone, with their scores. */
export const scores = (
  request: MatchRequest,
  group: PlacementGroup,
  { stands }: Small,
): { offerId: string; score: number }[] => {
  const fitting = stands.filter((stand) => fitsAlone(request, group, stand));
  const replicas = replicasOf(group);
  const gpus = replicas.reduce((sum, one) => sum + one.gpus, 0);
  const speed = ({ offer }: Stand): number => {
    const model = offer.gpu && findGpu(offer.gpu.model);
    if (!model || gpus === 0) return 0;
    const share = unitShare(offer.gpu, offer.gpu.sharing).compute;
    return share * throughput(model, request.workload ?? 'general', offer.gpu);
  };
  const cheapest = Math.min(...fitting.map(({ offer }) => Number(rateOf(offer, group))));
  const fastest = Math.max(...fitting.map(speed));
  const own = request.weights;
  const weights = own
    ? [own.cost, own.geography, own.performance, own.reliability, own.fit]
    : [...WEIGHTS[request.profile]];
  weights[2]! *= 1 + Math.min(1, gpus / 8);
  return fitting.map((stand) => {
    const { offer, provider, declared, free } = stand;
    const rate = Number(rateOf(offer, group));
    const limit = Number(budgetOf(request, group));
    const placed = place(replicas, free)!;
    const what = gpus > 0 ? 'gpus' : 'cpu';
    let [left, all] = [0, 0];
    declared.forEach((node, i) => {
      const taken = [...placed].filter(([, at]) => at === i).reduce((sum, [one]) => sum + one[what], 0);
      if (taken === 0) return;
      all += node[what];
      left += free[i]![what] - taken;
    });
    const uptime = provider.uptime ?? UPTIME[provider.tier - 1]!;
    const terms = [
      ((limit === 0 ? 1 : 1 - rate / limit) + (rate === 0 ? 1 : cheapest / rate)) / 2,
      request.near ? Math.max(0, 1 - estimateRttMs(request.near, provider.place.location) / 300) : 1,
      fastest === 0 ? 1 : speed(stand) / fastest,
      (5 * ((7 - provider.tier) / 6) +
        2 * (Math.max(0, uptime - 0.75) / 0.25) +
        Math.min(provider.erasClosed, 30) / 30) /
        8,
      gpus === 0 && offer.gpu ? 0 : all === 0 ? 1 : 1 - left / all,
    ];
    const sum = weights.reduce((a, b) => a + b, 0);
    return { offerId: offer.offerId, score: terms.reduce((a, term, i) => a + term * weights[i]!, 0) / sum };
  });
};
