import {
  type GpuModel,
  gpuModels,
  type GpuVariant,
  migProfilesOf,
  regions,
  throughput,
  unitShare,
} from '@gridbourse/catalog';
import type { GpuSharing } from '@gridbourse/events';
import { newId, nextInt, type ProviderId, type Random } from '@gridbourse/kernel';
import {
  type Amounts,
  CapacityBook,
  Market,
  type Offer,
  type Provider,
  unitOf,
} from '@gridbourse/matchmaker/matching';

/** Data centres and garages of each region. */
const SITES_PER_REGION = 12;
const OFFERS_PER_PROVIDER = 3;
const START_MS = 1_790_000_000_000;
/** Models that many providers have, in the first places; the rest of the catalogue shares what is left. */
const COMMON = ['rtx4090', 'h100', 'a100', 'rtx3090', 'l40s', 'rtxa6000', 'a10', 't4', 'v100', 'h200'];

/** Of the cards that can be cut, and of all cards. */
const [CUT_SHARE, SLOTS_SHARE] = [0.25, 0.05];
const SLOTS_PER_GPU = [2, 4, 10];

const NETWORKS = ['ethernet', 'ethernet', 'ethernet', 'roce', 'infiniband', 'nvlink'] as const;

/** What leases that have all GPUs of a machine take of the rest of it. */
const [CPU_OF_LEASES, MEMORY_OF_LEASES, STORAGE_OF_LEASES] = [0.83, 0.81, 0.1];

type Site = { readonly region: string; readonly latitude: number; readonly longitude: number };

const between = (random: Random, low: number, high: number): number => low + random.next() * (high - low);
const pick = <T>(random: Random, all: readonly T[]): T => all[nextInt(random, all.length)]!;
const clamp = (value: number, most: number): number => Math.max(-most, Math.min(most, value));

const sitesOf = (random: Random): Site[] =>
  regions.flatMap(({ id, location }) =>
    Array.from({ length: SITES_PER_REGION }, () => ({
      region: id,
      latitude: clamp(location.latitude + between(random, -5, 5), 89),
      longitude: clamp(location.longitude + between(random, -8, 8), 179),
    })),
  );

const commonModels = COMMON.flatMap((id) => gpuModels.find((model) => model.id === id) ?? []);
const anyModel = (random: Random): GpuModel => pick(random, random.next() < 0.7 ? commonModels : gpuModels);

const providerAt = (random: Random, site: Site): Provider => ({
  providerId: newId('provider', START_MS, random),
  accountId: newId('account', START_MS, random),
  name: 'provider',
  place: {
    region: site.region,
    country: '',
    city: '',
    location: { latitude: site.latitude, longitude: site.longitude },
  },
  attributes: {
    host: pick(random, ['bare-metal', 'virtual']),
    network: pick(random, ['1g', '10g', '100g']),
    ...(random.next() < 0.2 ? { infiniband: 'yes' } : {}),
  },
  tier: 1 + Math.floor(7 * random.next() ** 1.5),
  uptime: random.next() < 0.1 ? null : 1 - 0.2 * random.next() ** 4,
  erasClosed: nextInt(random, 60),
  activated: true,
  chainProviderId: 1 + nextInt(random, 1_000_000),
  suspended: false,
  presence: 'online',
  sequence: 1,
});

/** How a card is sold, and how many units one gives. */
const saleOf = (
  random: Random,
  model: GpuModel,
  variant: GpuVariant,
): { readonly sharing: GpuSharing; readonly units: number } => {
  const lot = random.next();
  const cuts = migProfilesOf({ model: model.id, vramMiB: variant.vramMiB }).filter(
    ({ instancesPerGpu }) => instancesPerGpu > 1,
  );
  if (cuts.length > 0 && lot < CUT_SHARE) {
    const { name, instancesPerGpu } = pick(random, cuts);
    return { sharing: { mode: 'mig', profile: name }, units: instancesPerGpu };
  }
  if (lot < 1 - SLOTS_SHARE) return { sharing: { mode: 'whole' }, units: 1 };
  const slotsPerGpu = pick(random, SLOTS_PER_GPU);
  return { sharing: { mode: 'shared', slotsPerGpu }, units: slotsPerGpu };
};

const offerOf = (random: Random, providerId: ProviderId): Offer => {
  const model = random.next() < 0.05 ? null : anyModel(random);
  const variant = model && pick(random, model.variants);
  const sale = model && variant && saleOf(random, model, variant);
  const speed =
    model && variant && sale
      ? throughput(model, 'general', variant) *
        unitShare({ model: model.id, vramMiB: variant.vramMiB }, sale.sharing).compute
      : 0;
  // About what the market asks: dearer the faster, within a factor of two.
  const perGpu = model ? Math.round(1_200_000 * speed * between(random, 0.6, 1.4)) + 20_000 : 0;
  const gpus = pick(random, [1, 1, 2, 4, 8, 8]);
  const units = gpus * (sale?.units ?? 0);
  const offerId = newId('offer', START_MS, random);
  return {
    offerId,
    providerId,
    revision: 1,
    gpu: model &&
      variant &&
      sale && {
        model: model.id,
        vendor: model.vendor,
        vramMiB: variant.vramMiB,
        interface: variant.interface,
        sharing: sale.sharing,
      },
    nodes: Array.from({ length: pick(random, [1, 1, 1, 2, 4, 8]) }, (_, at) => ({
      name: `${offerId}-${at}`,
      gpus: units,
      cpuMillis: 1_000 * 12 * gpus,
      memoryMiB: 1_024 * 96 * gpus,
      storageMiB: 1_024 * 1_000 * gpus,
    })),
    price: {
      perGpu: BigInt(perGpu),
      perCpuCore: BigInt(500 + nextInt(random, 2_000)),
      perMemoryGiB: BigInt(50 + nextInt(random, 200)),
      perStorageGiB: BigInt(5 + nextInt(random, 20)),
    },
    policy: {
      autoAccept: true,
      minDurationSeconds: pick(random, [0, 0, 600]),
      maxDurationSeconds: pick(random, [86_400, 2_592_000]),
    },
    storageClasses: pick(random, [[], ['default'], ['default', 'beta2'], ['default', 'beta3']]),
    interconnect: pick(random, NETWORKS),
    withdrawn: false,
  };
};

/** Some of the machines have leases on them, some of those are full. */
const occupy = (random: Random, book: CapacityBook, offer: Offer): void => {
  const onNodes = new Map<string, Amounts>();
  for (const node of offer.nodes) {
    if (random.next() < 0.5) continue;
    const gpus = random.next() < 0.3 ? node.gpus : nextInt(random, node.gpus + 1);
    const part = node.gpus === 0 ? 0 : gpus / node.gpus;
    onNodes.set(node.name, {
      gpus,
      cpuMillis: Math.floor(CPU_OF_LEASES * node.cpuMillis * part),
      memoryMiB: Math.floor(MEMORY_OF_LEASES * node.memoryMiB * part),
      storageMiB: Math.floor(STORAGE_OF_LEASES * node.storageMiB * part),
    });
  }
  if (onNodes.size > 0) {
    book.put({
      leaseId: newId('lease', START_MS, random),
      providerId: offer.providerId,
      offerId: offer.offerId,
      unit: unitOf(offer.gpu),
      claim: 'committed',
      onNodes,
    });
  }
};

export type BenchMarket = { readonly market: Market; readonly book: CapacityBook };

/** A market of so many offers by chance: places, kinds of GPU and how they are sold, prices and leases such as they are out there. */
export const randomMarket = (random: Random, offers: number): BenchMarket => {
  const sites = sitesOf(random);
  const market = new Market();
  const book = new CapacityBook();
  for (let made = 0; made < offers;) {
    const provider = providerAt(random, pick(random, sites));
    const count = Math.min(offers - made, 1 + nextInt(random, 2 * OFFERS_PER_PROVIDER - 1));
    const own = Array.from({ length: count }, () => offerOf(random, provider.providerId));
    market.restore([provider], own);
    for (const offer of own) if (random.next() < 0.4) occupy(random, book, offer);
    made += count;
  }
  return { market, book };
};
