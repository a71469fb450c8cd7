import type { Micros } from '@gridbourse/kernel';
import { findVariant, nominalVramMiB } from '../gpu/gpu-models.ts';
import { readGpuName } from '../gpu/gpu-name.ts';
import type { GpuInterface, GpuVendor } from '../gpu/gpu-types.ts';
import { findMigProfile } from '../gpu/mig.ts';
import type { UnitSharing } from '../gpu/unit-share.ts';
import { type KnownPlace, readPlace } from '../place/places.ts';
import {
  CPU_ONLY,
  DIVIDED,
  type MachineRow,
  MARKET_SOURCE,
  NODE_SIZES,
  POLICY,
  PROVIDER_ROWS,
  type ProviderRow,
  RESOURCE_PRICES,
  STORAGE_CLASSES,
} from './local-market.data.ts';

export type MarketNode = {
  readonly name: string;
  readonly gpus: number;
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  readonly storageMiB: number;
};

/** The parts of an offer, in the shape in which the published language carries them. */
export type MarketOffer = {
  /** Tells apart the offers of one provider; letters, digits, hyphens. */
  readonly label: string;
  readonly gpu: {
    readonly model: string;
    readonly vendor: GpuVendor;
    readonly vramMiB: number;
    readonly interface: GpuInterface;
    /** What the `gpus` of the machines count and `perGpu` is the price of. */
    readonly sharing: UnitSharing;
  } | null;
  readonly nodes: readonly MarketNode[];
  /** Micro-USDC per hour. */
  readonly price: {
    readonly perGpu: Micros;
    readonly perCpuCore: Micros;
    readonly perMemoryGiB: Micros;
    readonly perStorageGiB: Micros;
  };
  readonly policy: {
    readonly autoAccept: boolean;
    readonly minDurationSeconds: number;
    readonly maxDurationSeconds: number;
  };
  readonly storageClasses: readonly string[];
  /** The place that the snapshot gives this machine; null for machines that are in no snapshot. */
  readonly snapshotPlace: string | null;
};

export type MarketProvider = {
  /** Short and stable: seeds keys and ids of the local market. */
  readonly key: string;
  readonly name: string;
  readonly place: KnownPlace;
  readonly attributes: Readonly<Record<string, string>>;
  readonly offers: readonly MarketOffer[];
};

export type LocalMarket = {
  readonly source: { readonly name: string; readonly recordedBefore: string };
  readonly providers: readonly MarketProvider[];
};

const SERVER_MODELS = new Set('h100 h200 b200 a100 v100 l40s a40 rtxpro6000'.split(' '));
const MICROS_PER_CENT = 10_000n;

const nodeFor = (name: string, model: string, gpus: number): MarketNode => {
  const size = SERVER_MODELS.has(model) ? NODE_SIZES.server : NODE_SIZES.workstation;
  return {
    name,
    gpus,
    cpuMillis: 1_000 * Math.max(size.minCores, size.coresPerGpu * gpus),
    memoryMiB: 1_024 * Math.max(size.minMemoryGiB, size.memoryGiBPerGpu * gpus),
    storageMiB: 1_048_576 * Math.max(size.minStorageTiB, size.storageTiBPerGpu * gpus),
  };
};

const gpuOffer = (provider: string, row: MachineRow, index: number): MarketOffer => {
  const [gpuName, gpus, reportedMiB, cents, snapshotPlace] = row;
  const name = readGpuName(gpuName);
  const vramMiB = name && nominalVramMiB(name.model, reportedMiB);
  const variant = name && findVariant(name.model, { vramMiB, interface: name.interface });
  if (!name || !variant)
    throw new Error(`the local market has a GPU that the catalogue does not: ${gpuName}`);
  return {
    label: `${name.model.id}-x${gpus}-${index + 1}`,
    gpu: {
      model: name.model.id,
      vendor: name.model.vendor,
      vramMiB: variant.vramMiB,
      interface: variant.interface,
      sharing: { mode: 'whole' },
    },
    nodes: [nodeFor(`${provider}-${name.model.id}-${index + 1}`, name.model.id, gpus)],
    price: { perGpu: (BigInt(cents) * MICROS_PER_CENT) / BigInt(gpus), ...RESOURCE_PRICES },
    policy: POLICY,
    storageClasses: STORAGE_CLASSES,
    snapshotPlace,
  };
};

const partsOfGpu = (gpu: NonNullable<MarketOffer['gpu']>, sharing: UnitSharing): number => {
  if (sharing.mode === 'shared') return sharing.slotsPerGpu;
  const profile = sharing.mode === 'mig' ? findMigProfile(gpu, sharing.profile) : null;
  if (!profile) throw new Error(`the local market divides a ${gpu.model} as it cannot be`);
  return profile.instancesPerGpu;
};

/** A machine like one of whole GPUs, whose GPUs are sold in parts at a part of the price. */
const dividedOffer = ({ provider, like, gpus, sharing }: (typeof DIVIDED)[number]): MarketOffer => {
  const whole = gpuOffer(provider, like, 0);
  const gpu = { ...whole.gpu!, sharing };
  const parts = BigInt(partsOfGpu(gpu, sharing));
  const kind = sharing.mode === 'mig' ? 'mig' : 'shared';
  const node = nodeFor(`${provider}-${gpu.model}-${kind}-1`, gpu.model, gpus);
  return {
    ...whole,
    label: `${gpu.model}-${kind}`,
    gpu,
    nodes: [{ ...node, gpus: gpus * Number(parts) }],
    price: { ...whole.price, perGpu: (whole.price.perGpu + parts - 1n) / parts },
    snapshotPlace: null,
  };
};

const cpuOffer = (provider: string, machines: number): MarketOffer => {
  const { cores, memoryGiB, storageTiB } = NODE_SIZES.cpuOnly;
  return {
    label: 'cpu',
    gpu: null,
    nodes: Array.from({ length: machines }, (_, i) => ({
      name: `${provider}-cpu-${i + 1}`,
      gpus: 0,
      cpuMillis: 1_000 * cores,
      memoryMiB: 1_024 * memoryGiB,
      storageMiB: 1_048_576 * storageTiB,
    })),
    price: { perGpu: 0n, ...RESOURCE_PRICES },
    policy: POLICY,
    storageClasses: STORAGE_CLASSES,
    snapshotPlace: null,
  };
};

const toProvider = (row: ProviderRow): MarketProvider => {
  const place = readPlace(row.machines[0]![4]);
  if (!place)
    throw new Error(`the local market has a place that the catalogue does not: ${row.machines[0]![4]}`);
  const cpuMachines = CPU_ONLY.find(({ provider }) => provider === row.key)?.machines ?? 0;
  return {
    key: row.key,
    name: row.name,
    place,
    attributes: { country: place.country, region: place.region },
    offers: [
      ...row.machines.map((machine, index) => gpuOffer(row.key, machine, index)),
      ...(cpuMachines > 0 ? [cpuOffer(row.key, cpuMachines)] : []),
      ...DIVIDED.filter(({ provider }) => provider === row.key).map(dividedOffer),
    ],
  };
};

/** Providers and offers of the first start. Its data file says what is fact and what is assumption. */
export const localMarket: LocalMarket = {
  source: MARKET_SOURCE,
  providers: PROVIDER_ROWS.map(toProvider),
};
